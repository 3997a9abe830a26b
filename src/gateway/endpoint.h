#pragma once

#include <string_view>

#include "nginx.h"
#include "text.h"

namespace gateway {

/// The URI of a phantom_token_introspection_endpoint, taken apart at the first `?`.
struct Endpoint {
  std::string_view path;
  std::string_view arguments;
};

constexpr Endpoint split_endpoint(std::string_view uri) noexcept {
  const std::size_t mark = uri.find('?');
  if (mark == std::string_view::npos) {
    return {uri, {}};
  }
  return {uri.substr(0, mark), uri.substr(mark + 1)};
}

/// @return whether the endpoint is the same for all requests, so that it can be checked with the configuration.
inline bool is_constant(const ngx_http_complex_value_t &endpoint) noexcept {
  return endpoint.lengths == nullptr;
}

/// @return whether the endpoint's path is the same for all requests, whatever its arguments are (`/_introspect?$host`).
inline bool has_constant_path(const ngx_http_complex_value_t &endpoint) noexcept {
  return is_constant(endpoint) || split_endpoint(view(endpoint.value)).path.find('$') == std::string_view::npos;
}

/// Evaluates an endpoint in the client's request. After a redirect from another protected location, Authorization holds
/// a JWT by now; a map over $http_authorization sees what the client has sent, or another authorization server would be
/// chosen for the same token.
/// @return false where there is no memory.
bool evaluate_endpoint(ngx_http_request_t *r, ngx_http_complex_value_t *endpoint, ngx_str_t &uri) noexcept;

}  // namespace gateway
