#pragma once

#include "../configuration/module_configuration.h"
#include "request_state.h"

namespace gateway {

/// A request that waits for an answer goes on in the handler that made it wait, wherever that stands by then: modules
/// that want to be the last of the access phase (lua, srcache) move its handlers when they first run in a worker, and
/// the number by which nginx would go on then names another one.

/// Lets the request wait. Called from the phase handler that is to be called again when the answer is there or will not
/// come.
/// @return NGX_AGAIN for that handler to return, or NGX_ERROR.
ngx_int_t wait(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
               AsRequest *request) noexcept;

/// @return whether what the request waits for has not ended.
bool still_waits(const RequestState &state) noexcept;

/// Lets nginx call the request of this state if it waits for this answer, when nginx next runs posted requests.
/// @param r the request that the subrequest was made for.
void post(ngx_http_request_t *r, AsRequest &request) noexcept;

}  // namespace gateway
