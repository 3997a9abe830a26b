#pragma once

#include <array>
#include <string_view>

#include "module_configuration.h"

namespace gateway {

/// One of the directives that say where the gateway asks the authorization server: by the URI of an internal location.
struct EndpointDirective {
  const char *name;
  ngx_http_complex_value_t *value;  ///< nullptr where it is not there
  phantom_token_position_t at;
  bool is_about_tokens;  ///< introspection or exchange; false: keys
};

/// @return all of them, whether they are there or not.
std::array<EndpointDirective, 3> endpoint_directives(const phantom_token_location_t &location) noexcept;

/// @return whether it is there, and its path is the same for all requests.
bool has_known_path(const EndpointDirective &endpoint) noexcept;

/// @param endpoint with a known path.
std::string_view path_of(const EndpointDirective &endpoint) noexcept;

/// @param endpoint of the block, with a known path.
/// @return the location that the endpoint leads to; nullptr where none matches.
ngx_http_core_loc_conf_t *find_target(const phantom_token_block_t &block, const EndpointDirective &endpoint) noexcept;

}  // namespace gateway
