#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Installs the handlers of the access, preaccess and precontent phases and the filters.
/// @return NGX_OK or NGX_ERROR.
ngx_int_t install_handlers(ngx_conf_t *cf) noexcept;

}  // namespace gateway
