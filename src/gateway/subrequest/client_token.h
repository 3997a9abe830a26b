#pragma once

#include <string_view>

#include "../../oauth/outcome.h"
#include "../configuration/module_configuration.h"

namespace gateway {

/// @return whether the location takes a token from the header Authorization.
bool accepts_header(const phantom_token_location_t &location) noexcept;

/// Finds the client's token where the request's location takes it from. A variable is that of the client's request,
/// also in a subrequest, and keeps the value that it had when the request was judged first: a redirect may change its
/// arguments.
/// @param token set where the outcome is active: well-formed, and as the client sent it.
/// @return active, missing, malformed, or internal_error where there is no memory.
oauth::Verdict find_client_token(ngx_http_request_t *r, const phantom_token_location_t &location,
                                 std::string_view &token) noexcept;

}  // namespace gateway
