#pragma once

#include <string_view>

#include "../configuration/module_configuration.h"

namespace gateway {

struct ErrorBody {
  std::string_view content_type;
  std::string_view content;  ///< static
};

/// @param status one that a refusal may have.
/// @return the body in that format; empty for PHANTOM_TOKEN_ERROR_PAGE, which is nginx's own page.
ErrorBody error_body(ngx_uint_t format, ngx_uint_t status) noexcept;

}  // namespace gateway
