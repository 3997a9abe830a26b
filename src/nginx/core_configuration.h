#pragma once

#include "nginx.h"

namespace nginx {

/// The configurations of nginx's own ngx_http_core_module. A location's are never nullptr.

inline const ngx_http_core_main_conf_t &core_main_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<ngx_http_core_main_conf_t *>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
}

inline ngx_http_core_main_conf_t &core_main_of(const ngx_conf_t *cf) noexcept {
  return *static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
}

/// @return the server's that the request has come to.
inline const ngx_http_core_srv_conf_t &core_server_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<ngx_http_core_srv_conf_t *>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
}

/// @return the location's that the request is in now.
inline const ngx_http_core_loc_conf_t &core_location_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

/// @return that of the server that is being read or merged.
inline ngx_http_core_srv_conf_t &core_server_of(const ngx_conf_t *cf) noexcept {
  return *static_cast<ngx_http_core_srv_conf_t *>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
}

/// @return that of the location that is being read or merged.
inline ngx_http_core_loc_conf_t &core_location_of(const ngx_conf_t *cf) noexcept {
  return *static_cast<ngx_http_core_loc_conf_t *>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
}

}  // namespace nginx
