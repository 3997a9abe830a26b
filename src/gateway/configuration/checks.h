#pragma once

#include "module_configuration.h"

namespace gateway {

/// Looks at the configuration as a whole, in the postconfiguration and after index_variables(): marks what locations
/// are to each other, refuses what cannot work, warns of what may not be meant.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_configuration(ngx_conf_t *cf) noexcept;

}  // namespace gateway
