#pragma once

#include "../configuration/module_configuration.h"
#include "call.h"

namespace gateway {

/// Requests of one worker that ask the same question while its answer is awaited share the one call: the first leads,
/// the others follow. Only a client's own request does either, for a subrequest has its parent's answer or is rare.

/// So long may a request wait for answers about its token to others before it asks by itself, in milliseconds; and no
/// request joins a call about a token that has run for so long: it may be one that hangs.
constexpr ngx_msec_t longest_wait_for_others = 1000;

/// Registers a call that has been started, so that others may follow it. Where there is no memory, nobody does.
void lead(ngx_http_request_t *r, Call &call) noexcept;

/// Looks for a call that answers the question.
/// @param patience milliseconds, more than 0.
/// @return a call of the request's own which will be done when the one that is followed is, or abandoned; nullptr where
///   there is none to follow. The request is then woken as by a subrequest's end.
Call *follow(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question,
             ngx_msec_t patience) noexcept;

/// @return whether there is a call to follow.
bool is_under_way(const AnswerKey &question) noexcept;

/// Hands the call's result to those that follow it. Where it is no answer about a token, one of them asks and the
/// others follow that one; where it is not for all, each asks by itself.
void share(Call &call) noexcept;

}  // namespace gateway
