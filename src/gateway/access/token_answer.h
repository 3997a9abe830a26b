#pragma once

#include <string_view>

#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

/// Finds the authorization server's answer about a token: one that this request or a parent has already, a hot copy, or
/// a new one, for which the request waits.
/// @return to go on: then state.answer is there.
AccessStep find_answer(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                       std::string_view token) noexcept;

/// Holds the answer to the location's policy. What it says is read once; what it is worth is found out each time.
oauth::Verdict judge_answer(const ngx_http_request_t *r, AsRequest &answer,
                            const phantom_token_location_t &location) noexcept;

}  // namespace gateway
