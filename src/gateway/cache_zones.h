#pragma once

#include "nginx.h"

namespace gateway {

/// @return the zone of proxy_cache (or its kin) that this location's own handler uses; nullptr where it uses none, or
///   one that a variable names.
ngx_shm_zone_t *cache_zone(const ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

/// Notes in every location whether another one uses its cache zone, and refuses a zone that an introspection location
/// shares where no key of the whole configuration can hold $phantom_token_key.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_cache_zones(ngx_conf_t *cf, const phantom_token_main_t &main) noexcept;

}  // namespace gateway
