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

/// Reads the answer, once, into answer.interpreted.
/// @return active, whatever it says; or stale, where it is too old for the location.
oauth::Verdict read_answer(const ngx_http_request_t *r, AsRequest &answer,
                           const phantom_token_location_t &location) noexcept;

}  // namespace gateway
