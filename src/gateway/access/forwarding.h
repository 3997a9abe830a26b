#pragma once

#include "../../jose/jwt.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"

namespace gateway {

/// Puts the JWT that has been allowed into Authorization, and keeps a hot copy of the answer that it came with: so a
/// copy is never of a refused one.
/// @return false where there is no memory.
bool forward_jwt(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location) noexcept;

/// @return the JWT that is forwarded where the request is allowed: the client's own, or the authorization server's.
const jose::Jwt &jwt_of(const RequestState &state) noexcept;

}  // namespace gateway
