#pragma once

#include "module_configuration.h"

namespace gateway {

/// Looks at the locations that reach the authorization server: warns of what makes them slow or unsafe, marks those
/// that share their cache zone with another location, and refuses such a zone where tokens are sent and nothing in the
/// whole configuration reads $phantom_token_key, so that no cache key can have it.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_as_locations(ngx_conf_t *cf, phantom_token_main_t &main) noexcept;

}  // namespace gateway
