#pragma once

#include "as_request.h"

namespace gateway {

/// Takes the header of a response to a request of ours; nothing of it goes on to other filters.
/// @return NGX_OK, or a status that makes nginx give the response up.
ngx_int_t capture_header(ngx_http_request_t *subrequest, AsRequest &request) noexcept;

/// Takes and consumes a buffer chain of such a response's body.
void capture_body(ngx_http_request_t *subrequest, AsRequest &request, ngx_chain_t *in) noexcept;

}  // namespace gateway
