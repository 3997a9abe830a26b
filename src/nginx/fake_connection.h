#pragma once

#include "nginx.h"

namespace nginx {

/// A subrequest of ours has a connection of its own, as a stream of HTTP/2 has (ngx_http_v2_create_stream()). nginx
/// calls one request of a connection, the active one, and a module that delays another by the connection's write event
/// (limit_req) would never be called again. So each of ours is the active request of its connection, and its delay is
/// neither another's nor the client's.

/// @return a connection that ends with the request's pool, or nullptr where there is no memory.
ngx_connection_t *make_fake_connection(ngx_http_request_t *r) noexcept;

/// Makes the subrequest, which has not run yet, the active one of the connection.
void attach(ngx_http_request_t *subrequest, ngx_connection_t *connection) noexcept;

/// Nobody waits for an event of this connection any more.
void stop_events(ngx_connection_t &connection) noexcept;

}  // namespace nginx
