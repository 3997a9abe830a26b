#include "endpoint_directives.h"

#include "../../nginx/locations.h"
#include "endpoint.h"

namespace gateway {

std::array<EndpointDirective, 3> endpoint_directives(const phantom_token_location_t &location) noexcept {
  return {{{"phantom_token_introspection_endpoint", location.introspection_endpoint, location.introspection_endpoint_at,
            true},
           {"phantom_token_exchange_endpoint", location.exchange_endpoint, location.exchange_endpoint_at, true},
           {"phantom_token_jwks_endpoint", location.jwks_endpoint, location.jwks_endpoint_at, false}}};
}

bool has_known_path(const EndpointDirective &endpoint) noexcept {
  return endpoint.value != nullptr && has_constant_path(*endpoint.value);
}

std::string_view path_of(const EndpointDirective &endpoint) noexcept {
  return split_endpoint(to_view(endpoint.value->value)).path;
}

ngx_http_core_loc_conf_t *find_target(const phantom_token_block_t &block, const EndpointDirective &endpoint) noexcept {
  return find_location(*block.server, path_of(endpoint));
}

}  // namespace gateway
