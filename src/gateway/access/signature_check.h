#pragma once

#include "../../jose/jwt.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

/// Verifies the signature of the client's own JWT or of the authorization server's by the endpoint's JWK Set, which is
/// fetched where that is due. The last check: every other one costs less.
AccessStep check_signature(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                           const jose::Jwt &jwt) noexcept;

}  // namespace gateway
