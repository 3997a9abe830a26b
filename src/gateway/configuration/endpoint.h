#pragma once

#include <string_view>

#include "../../nginx/strings.h"
#include "module_configuration.h"

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
  return is_constant(endpoint) || split_endpoint(to_view(endpoint.value)).path.find('$') == std::string_view::npos;
}

}  // namespace gateway
