#pragma once

#include "../../jose/jwt.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

/// Makes what phantom_token_forward puts into Authorization, where that can fail by what the token says: signs the
/// gateway's own JWT. Keeps a hot copy of the answer that it came with: so a copy is never of one that says no, and is
/// there for requests that a location refuses by what it requires.
/// @return to go on: then forward() may follow.
AccessStep prepare_authorization(ngx_http_request_t *r, RequestState &state,
                                 const phantom_token_location_t &location) noexcept;

/// Puts into Authorization what phantom_token_forward says.
/// @return false where there is no memory.
bool forward(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location) noexcept;

/// @return the JWT that the token stands for: the client's own, or the authorization server's; its `compact` is empty
///   where there is none.
const jose::Jwt &jwt_of(const RequestState &state) noexcept;

}  // namespace gateway
