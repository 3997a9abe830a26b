#pragma once

#include "module_configuration.h"

namespace gateway {

/// Sets the fingerprint of each block's token request: after number_servers(), since the server is a part of it.
/// @return NGX_OK, or NGX_ERROR where there is no memory.
ngx_int_t set_fingerprints(ngx_conf_t *cf) noexcept;

}  // namespace gateway
