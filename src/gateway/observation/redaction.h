#pragma once

#include <initializer_list>
#include <string_view>

#include "../configuration/module_configuration.h"

namespace gateway {

/// Takes secrets out of a text from outside, before a log line shows it: each is blotted out wherever it stands, also
/// form-encoded, as the gateway has sent it.
/// @return a copy in the pool, empty where there is no memory.
std::string_view redact(ngx_pool_t *pool, std::string_view text,
                        std::initializer_list<std::string_view> secrets) noexcept;

}  // namespace gateway
