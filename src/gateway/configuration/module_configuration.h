#pragma once

#include "../../nginx/nginx.h"
#include "../gateway.h"

/// The configurations of this module, and nginx's own words without a prefix for all of the gateway.
namespace gateway {

using namespace nginx;

inline phantom_token_main_t &main_of(ngx_conf_t *cf) noexcept {
  return *static_cast<phantom_token_main_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_phantom_token_module));
}

inline const phantom_token_main_t &main_of(const ngx_conf_t *cf) noexcept {
  return *static_cast<phantom_token_main_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_phantom_token_module));
}

inline const phantom_token_main_t &main_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<phantom_token_main_t *>(ngx_http_get_module_main_conf(r, ngx_http_phantom_token_module));
}

/// @return that of the location that the request is in now.
inline const phantom_token_location_t &location_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<phantom_token_location_t *>(ngx_http_get_module_loc_conf(r, ngx_http_phantom_token_module));
}

/// @return this module's of a location that nginx knows by its own.
inline phantom_token_location_t &location_of(ngx_http_core_loc_conf_t &core) noexcept {
  return *static_cast<phantom_token_location_t *>(core.loc_conf[ngx_http_phantom_token_module.ctx_index]);
}

inline const phantom_token_location_t &location_of(const ngx_http_core_loc_conf_t &core) noexcept {
  return *static_cast<phantom_token_location_t *>(core.loc_conf[ngx_http_phantom_token_module.ctx_index]);
}

inline phantom_token_server_t &server_of(ngx_http_core_srv_conf_t &core) noexcept {
  return *static_cast<phantom_token_server_t *>(core.ctx->srv_conf[ngx_http_phantom_token_module.ctx_index]);
}

inline const phantom_token_server_t &server_of(const ngx_http_core_srv_conf_t &core) noexcept {
  return *static_cast<phantom_token_server_t *>(core.ctx->srv_conf[ngx_http_phantom_token_module.ctx_index]);
}

}  // namespace gateway
