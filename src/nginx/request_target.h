#pragma once

#include "nginx.h"

namespace nginx {

/// Makes `$scheme://$http_host$request_uri` of the client's request. In HTTP/3, nginx has no header Host of
/// `:authority`: there that stands in its place.
/// @param uri set, in the request's pool, where the result is true; empty where the request names no host, or Host and
///   the request line name two (RFC 9112 section 3.2.2): nginx has chosen the server by the latter.
/// @return false where there is no memory.
bool make_target_uri(const ngx_http_request_t *r, ngx_str_t &uri) noexcept;

}  // namespace nginx
