#pragma once

#include "nginx.h"

namespace nginx {

/// @param configurations all modules' configurations of the location.
/// @return the upstream configuration that the location's own handler (proxy_pass or its kin) uses; nullptr where the
///   location passes nothing on.
ngx_http_upstream_conf_t *upstream_of(const ngx_conf_t *cf, const ngx_http_core_loc_conf_t &location,
                                      void *const *configurations) noexcept;

/// @return whether it keeps responses in a cache.
bool has_cache(const ngx_http_upstream_conf_t *upstream) noexcept;

/// @return its cache zone; nullptr where it has none, or one that a variable names.
const ngx_shm_zone_t *cache_zone(const ngx_http_upstream_conf_t *upstream) noexcept;

}  // namespace nginx
