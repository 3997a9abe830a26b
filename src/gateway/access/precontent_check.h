#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// The last look at a request that has come through the access phase to a protected location. Where only another module
/// can have granted it access, a bearer token in it is unchecked and does not go on; else it is checked now if it was
/// not.
/// @return NGX_DECLINED, so that nginx goes on, NGX_AGAIN while an answer is awaited, or a status to refuse with.
ngx_int_t check_before_content(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

/// Looks at a request whose response is about to be sent.
/// @return NGX_DECLINED where it may go, or a status to refuse with: another module has brought it on while it waits
///   for an answer about its token.
ngx_int_t refuse_other_answer(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
