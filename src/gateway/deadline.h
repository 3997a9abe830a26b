#pragma once

#include "call.h"
#include "nginx.h"

namespace gateway {

/// From its header on, nginx grants a response its read timeout anew with every byte. This makes it the limit for the
/// whole body, so that a slow drip does not hold the client. Nothing is started for a response that is there already.
/// @return NGX_OK, or NGX_ERROR where there is no memory.
ngx_int_t start_deadline(ngx_http_request_t *subrequest, Call &call) noexcept;

/// @return whether a body that ends now without being complete has been cut by time, by this deadline or by nginx's
/// own.
bool is_late(const Call &call) noexcept;

void stop_deadline(Call &call) noexcept;

}  // namespace gateway
