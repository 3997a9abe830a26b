#pragma once

#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

/// @return how a request ends whose token has passed every check: active, or passed_jwt for one that nobody verified.
oauth::Outcome outcome_of_token(const RequestState &state, const phantom_token_location_t &location) noexcept;

/// Checks phantom_token_require, the last of all checks: the variables that are claims have their values by then, and
/// $phantom_token_jwt is what would be forwarded.
AccessStep check_required_values(ngx_http_request_t *r, RequestState &state,
                                 const phantom_token_location_t &location) noexcept;

}  // namespace gateway
