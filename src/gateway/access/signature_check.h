#pragma once

#include "../../jose/jwt.h"
#include "../../oauth/token_information.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

struct JwtToVerify {
  const jose::Jwt &jwt;
  oauth::Outcome if_bad;                      ///< what a bad signature comes to
  oauth::TokenInformation *packed = nullptr;  ///< what the JWT is a part of, where that may have to be read first
};

/// Verifies the signature of a JWT by the JWK Set of the location's endpoint, which is fetched where that is due. The
/// last check: every other one costs less.
AccessStep check_signature(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                           const JwtToVerify &to_verify) noexcept;

/// For a request that has waited for a JWK Set that did not come: the next request for it is perhaps its own.
void forget_lost_key_set(RequestState &state) noexcept;

}  // namespace gateway
