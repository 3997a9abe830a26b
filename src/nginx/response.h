#pragma once

#include <cstddef>
#include <string_view>

#include "nginx.h"

namespace nginx {

/// Adds a header to the response.
/// @param name lives as long as the response, and so does the value.
/// @return nullptr where there is no memory.
ngx_table_elt_t *push_header(ngx_http_request_t *r, std::string_view name, std::string_view value) noexcept;

struct MediaType {
  std::string_view with_parameters;  ///< as Content-Type has it
  std::size_t size;                  ///< characters of it before the parameters
};

/// Sends a response.
/// @param text lives as long as the request; empty: the response has no body, and no media type.
/// @return what a content handler is to return.
ngx_int_t send_response(ngx_http_request_t *r, ngx_uint_t status, const MediaType &media_type,
                        std::string_view text) noexcept;

/// The same with the status 200.
ngx_int_t send_page(ngx_http_request_t *r, const MediaType &media_type, std::string_view text) noexcept;

}  // namespace nginx
