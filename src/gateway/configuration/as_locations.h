#pragma once

#include "module_configuration.h"

namespace gateway {

/// Looks at the locations that reach the authorization server for tokens: warns of what makes them slow or unsafe,
/// notes which of them share their cache zone with another location, and refuses such a zone where no key of the whole
/// configuration can hold $phantom_token_key.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_as_locations(ngx_conf_t *cf, phantom_token_main_t &main) noexcept;

}  // namespace gateway
