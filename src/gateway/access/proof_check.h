#pragma once

#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

/// Checks the proof of possession of a token that has come with the scheme DPoP (RFC 9449 section 4.3), in all that
/// does not depend on the answer about the token: before the authorization server is asked.
AccessStep check_proof(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept;

/// Finds what the client has proven to have: the key of its proof, and its certificate where the token is bound to one.
/// @param proven set where the result is true.
/// @return false where there is no memory, or OpenSSL fails.
bool find_proven_keys(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location,
                      const oauth::CheckedClaims &claims, oauth::ProvenKeys &proven) noexcept;

/// Records that the proof is used, once for the client's request with its redirects and subrequests (RFC 9449 section
/// 11.1).
AccessStep check_replay(ngx_http_request_t *r, const RequestState &state,
                        const phantom_token_location_t &location) noexcept;

/// Adds the header DPoP-Nonce to the response, where the next one is due. Where nonces are asked for, one that the API
/// has set is taken out.
/// @return false where there is no memory.
bool add_next_nonce(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

/// Takes the header DPoP out of the request: a proof for the client's token says nothing to the API.
/// @return false where there is no memory.
bool remove_proof(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
