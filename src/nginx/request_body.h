#pragma once

#include <cstddef>
#include <string_view>

#include "nginx.h"

namespace nginx {

/// @return the size of the request's body, which has been read.
std::size_t body_size(const ngx_http_request_t *r) noexcept;

/// Puts the request's body, which has been read, into one piece, also where nginx has written it to a file.
/// @param body set where the result is true; it lives as long as the request.
/// @return false where there is no memory, or the file cannot be read, which has been logged.
bool collect_body(ngx_http_request_t *r, std::string_view &body) noexcept;

}  // namespace nginx
