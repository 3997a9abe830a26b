#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Holds a request to a protected location to that location's policy. Asks the authorization server where its answer is
/// not here yet: then nginx is to wait and to call again.
/// @return NGX_OK where the token is good and Authorization holds its JWT; NGX_DECLINED where there is no token and
///   none is needed; NGX_AGAIN while an answer is awaited; else the status to refuse with.
ngx_int_t check_access(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
