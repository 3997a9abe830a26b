#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Holds a request to a protected location to that location's policy. Asks the authorization server where its answer is
/// not here yet: then nginx is to wait and to call again.
/// @return NGX_OK where the token is good and Authorization holds its JWT; NGX_DECLINED where there is no token and
/// none
///   is needed; NGX_AGAIN while an answer is awaited; else the status to refuse with.
ngx_int_t check_access(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

/// The last look at a request that has come through the access phase to a protected location. Where only another module
/// can have granted it access, a bearer token in it is unchecked and does not go on; else it is checked now if it was
/// not.
/// @return NGX_DECLINED, so that nginx goes on, NGX_AGAIN while an answer is awaited, or a status to refuse with.
ngx_int_t check_before_content(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

/// Looks at a request whose response is about to be sent.
/// @return NGX_DECLINED where it may go, or a status to refuse with: another module has brought it on while it waits
/// for
///   an answer about its token.
ngx_int_t refuse_other_answer(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
