#pragma once

#include <string_view>

#include "nginx.h"

namespace gateway {

/// What stands before the JWT in the header's value.
constexpr std::string_view bearer_scheme = "Bearer ";

/// Makes `Bearer <jwt>`, with a NUL behind it, in the request's pool.
/// @return an empty view where there is no memory.
std::string_view make_authorization(ngx_http_request_t *r, std::string_view jwt) noexcept;

/// Puts this in the place of the value of the request's Authorization header. A subrequest's header list is copied
/// first: it is the parent's, and other subrequests' too.
/// @param value in the request's pool, a NUL behind it.
/// @return false where there is no memory.
bool set_authorization(ngx_http_request_t *r, std::string_view value) noexcept;

/// Takes the Authorization header out of the list, so that not even an empty one is sent on.
/// @return false where there is no memory.
bool remove_authorization(ngx_http_request_t *r) noexcept;

}  // namespace gateway
