#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Lets a new worker follow the state files, if there are any.
/// @return NGX_OK or NGX_ERROR.
ngx_int_t start_following_state_files(ngx_cycle_t *cycle) noexcept;

}  // namespace gateway
