#pragma once

#include "as_request.h"

namespace gateway {

/// Starts a request to the authorization server in a subrequest of nginx. Once request.running.has_ended(), nginx wakes
/// the request that waits for it.
/// @param request complete, and not started yet.
/// @return false where there is no memory or nginx refuses another subrequest.
bool start_subrequest(ngx_http_request_t *r, AsRequest &request, ngx_msec_t response_timeout) noexcept;

/// Notes that the subrequest has come to its location, and takes from it what is the client's: its headers and what has
/// been made of them.
/// @return false where there is no memory.
bool arrive(ngx_http_request_t *subrequest, AsRequest &request) noexcept;

}  // namespace gateway
