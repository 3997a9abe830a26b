#pragma once

#include <string_view>

#include "../configuration/module_configuration.h"

namespace gateway {

/// The URL of the resource's metadata, for the challenge: phantom_token_resource_metadata, else the one that follows
/// from phantom_token_resource.
/// @param url set where the result is true, to an empty view where there is none. One that cannot be used is logged.
/// @return false where there is no memory.
bool find_metadata_url(ngx_http_request_t *r, const phantom_token_location_t &location, std::string_view &url) noexcept;

/// @param resource set to what phantom_token_resource is for this request, whatever that is, where the result is true;
///   to an empty view where there is none.
/// @return false where there is no memory.
bool find_resource(ngx_http_request_t *r, const phantom_token_location_t &location,
                   std::string_view &resource) noexcept;

}  // namespace gateway
