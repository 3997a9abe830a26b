#pragma once

#include "../configuration/module_configuration.h"
#include "../subrequest/as_request.h"

namespace gateway {

/// A subrequest of ours runs in the location that its endpoint leads to and nowhere else, and nobody else's request
/// runs there.

/// Looks at a subrequest of ours, or a child of one, that has come to a location's preaccess phase: a response with
/// X-Accel-Redirect sends it to another location before any filter sees that header.
/// @return NGX_DECLINED, so that nginx goes on, or a status to end it with.
ngx_int_t check_own_subrequest(ngx_http_request_t *r, AsRequest &request) noexcept;

/// @return whether such a subrequest has passed that check, and has not been redirected since.
bool is_in_its_location(const ngx_http_request_t *r, const AsRequest &request) noexcept;

/// @return whether this is somebody else's request in a location that is the gateway's alone.
bool is_foreign_request(const ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

/// @return nginx's own answer for an `internal` location; the log says why.
ngx_int_t refuse_foreign_request(ngx_http_request_t *r) noexcept;

}  // namespace gateway
