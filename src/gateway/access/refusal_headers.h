#pragma once

#include "../../oauth/outcome.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"

namespace gateway {

/// Adds the challenges of a refusal: that of the scheme that the token came with; without a token, one for each scheme
/// that the location accepts.
/// @return false where there is no memory.
bool set_challenges(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                    oauth::Outcome outcome) noexcept;

/// Adds Retry-After, where the outcome has one.
/// @return false where there is no memory.
bool set_retry_after(ngx_http_request_t *r, RequestState &state, oauth::Outcome outcome) noexcept;

/// Takes back what an earlier refusal of this request has added.
void withdraw_headers(ngx_http_request_t *r, const RequestState &state) noexcept;

/// Takes back all challenges, of other modules too. nginx clears one at most, and only the last: under `satisfy any`,
/// auth_basic may have left one.
void withdraw_other_challenges(ngx_http_request_t *r) noexcept;

}  // namespace gateway
