#pragma once

#include <string_view>

#include "../configuration/module_configuration.h"

namespace gateway {

/// nginx refuses a request with two Authorization headers with 400, but an error_page for that brings it here with
/// both, and an API might believe the one that nobody has looked at.
/// @return whether there is one beside the one that nginx knows of.
bool has_several_authorizations(const ngx_http_headers_in_t &headers_in) noexcept;

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

/// Takes all headers of this name out of the list.
/// @return false where there is no memory.
bool remove_headers(ngx_http_request_t *r, std::string_view name) noexcept;

}  // namespace gateway
