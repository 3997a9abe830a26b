#pragma once

#include <string_view>

#include "../../nginx/variable_origins.h"
#include "module_configuration.h"

/// The indices of the variables that the gateway reads or writes itself. NGX_ERROR where the configuration does not
/// read the variable.
struct phantom_token_variables_s {
  ngx_int_t authorization = NGX_ERROR;  ///< $http_authorization
  ngx_int_t key = NGX_ERROR;            ///< $phantom_token_key
  ngx_int_t request_body = NGX_ERROR;   ///< $request_body
  ngx_int_t proxy_host = NGX_ERROR;     ///< $proxy_host; NGX_ERROR only where there is no proxy module
  ngx_array_t own = {};                 ///< ngx_uint_t: of all of this module's that the configuration reads
  nginx::VariableOrigins origins;
};

namespace gateway {

/// What the names of all variables of this module begin with.
constexpr std::string_view variable_prefix = "phantom_token_";

/// Those of the request's configuration, from the postconfiguration on.
inline const phantom_token_variables_t &variables_of(const ngx_http_request_t *r) noexcept {
  return *main_of(r).variables;
}

/// Notes which of the variables the configuration uses, when all directives have been read.
/// @return NGX_OK or NGX_ERROR.
ngx_int_t index_variables(ngx_conf_t *cf) noexcept;

/// @return whether $phantom_token_key could not be computed when somebody read it. nginx goes on with an empty string,
///   and a cache key with that in it would be the same for other clients' requests.
bool has_lost_key(const ngx_http_request_t *r) noexcept;

/// Drops the values of $http_authorization that have been read so far.
void forget_authorization(ngx_http_request_t *r) noexcept;

/// Drops all values of this module's variables that have been read so far. They cannot be cached, and most readers have
/// them evaluated anew; but the access log takes a value that an earlier phase or a subrequest has left.
void forget_variables(ngx_http_request_t *r) noexcept;

}  // namespace gateway
