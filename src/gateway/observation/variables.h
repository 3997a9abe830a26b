#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Adds the $phantom_token_* variables, and $http_authorization as one that is read anew each time, since this module
/// rewrites the header.
/// @return NGX_OK or NGX_ERROR.
ngx_int_t add_variables(ngx_conf_t *cf) noexcept;

}  // namespace gateway
