#pragma once

#include "as_request.h"

namespace gateway {

/// Requests of one worker that ask by the same key while the answer is awaited share one request to the authorization
/// server: the first leads, the others follow. Only a client's own request does either, for a subrequest has its
/// parent's answer or is rare.

/// So long may a request wait for answers about its token to others before it asks by itself, in milliseconds; and none
/// follows a request about a token that has run for so long: it may be one that hangs.
constexpr ngx_msec_t longest_wait_for_others = 1000;

/// Registers a request that has been started, so that others may follow it. Where there is no memory, nobody does.
void lead(ngx_http_request_t *r, AsRequest &request) noexcept;

/// Looks for a request that another one leads, and follows it.
/// @param request of the same key. It ends when the one that is followed does: done, or without an answer for it; the
///   client's request is then woken as by a subrequest's end.
/// @param patience milliseconds, more than 0.
/// @return false where there is none to follow, or no memory.
bool follow(ngx_http_request_t *r, AsRequest &request, ngx_msec_t patience) noexcept;

/// @return whether there is a request to follow.
bool has_leader(const AnswerKey &key) noexcept;

/// Hands the result to those that follow. Where it is no answer about a token, one of them asks and the others follow
/// that one; where it is not for all, each asks by itself.
void share(AsRequest &request) noexcept;

}  // namespace gateway
