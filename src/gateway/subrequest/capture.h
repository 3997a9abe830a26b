#pragma once

#include "../configuration/module_configuration.h"
#include "call.h"

namespace gateway {

/// ngx_http_post_subrequest_t::handler of an introspection subrequest; data is its Call.
/// @return what nginx is to go on with: the subrequest's own failures end here and are never the client's.
ngx_int_t finish_capture(ngx_http_request_t *subrequest, void *data, ngx_int_t rc) noexcept;

/// Notes what came of the call, and lets go on who waits for it. Its subrequest may end later.
/// @param rc as for finish_capture().
void complete_call(ngx_http_request_t *subrequest, Call &call, ngx_int_t rc) noexcept;

/// Takes the header of an introspection response; nothing of it goes on to other filters.
/// @return NGX_OK, or a status that makes nginx give the response up.
ngx_int_t capture_header(ngx_http_request_t *subrequest, Call &call) noexcept;

/// Takes and consumes a piece of an introspection response's body.
void capture_body(ngx_http_request_t *subrequest, Call &call, ngx_chain_t *in) noexcept;

}  // namespace gateway
