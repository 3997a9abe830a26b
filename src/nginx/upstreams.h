#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// @return whether this nginx has a module of that name, built in or loaded.
bool has_module(const ngx_conf_t *cf, std::string_view name) noexcept;

/// @return whether there is one before the other module in nginx's order, in which their postconfigurations run.
bool has_module_before(const ngx_conf_t *cf, std::string_view name, const ngx_module_t &other) noexcept;

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
