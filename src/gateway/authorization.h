#pragma once

#include <string_view>

#include "nginx.h"

namespace gateway {

/// Puts `Bearer <jwt>` in the place of the request's Authorization header. A subrequest's header list is copied first:
/// it is the parent's, and other subrequests' too.
/// @return false where there is no memory.
bool set_authorization(ngx_http_request_t *r, std::string_view jwt) noexcept;

/// Takes the Authorization header out of the list, so that not even an empty one is sent on.
/// @return false where there is no memory.
bool remove_authorization(ngx_http_request_t *r) noexcept;

}  // namespace gateway
