#pragma once

#include <string_view>

#include "../../oauth/bearer.h"
#include "../../oauth/outcome.h"
#include "../configuration/module_configuration.h"

namespace gateway {

/// @return whether the location takes a token from the header Authorization.
bool accepts_header(const phantom_token_location_t &location) noexcept;

/// @return whether the location accepts tokens with the scheme DPoP.
bool accepts_dpop(const phantom_token_location_t &location) noexcept;

/// @return whether a client can prove by a certificate that it has the key of its token.
bool may_have_certificate(const phantom_token_location_t &location) noexcept;

struct ClientToken {
  std::string_view token;  ///< well-formed, and as the client sent it; empty where there is none
  oauth::Scheme scheme = oauth::Scheme::bearer;
};

/// Finds the client's token where the request's location takes it from. A variable is that of the client's request,
/// also in a subrequest, and keeps the value that it had when the request was judged first: a redirect may change its
/// arguments.
/// @param found set where the outcome is active; of a malformed one, the scheme.
/// @return active, missing, malformed, or internal_error where there is no memory.
oauth::Verdict find_client_token(ngx_http_request_t *r, const phantom_token_location_t &location,
                                 ClientToken &found) noexcept;

}  // namespace gateway
