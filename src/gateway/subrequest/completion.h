#pragma once

#include "as_request.h"

namespace gateway {

/// running.finish of a request whose subrequest nginx has ended.
/// @return what nginx is to go on with: the subrequest's own failures end here and are never the client's.
ngx_int_t finish_subrequest(ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc) noexcept;

/// Notes what came of the request, and lets go on who waits for it. Its subrequest may end later.
/// @param rc as for finish_subrequest().
void complete(ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc) noexcept;

}  // namespace gateway
