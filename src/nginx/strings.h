#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// nginx's strings as views; what they point to is owned by whoever owned the ngx_str_t's bytes.
inline std::string_view to_view(const ngx_str_t &text) noexcept {
  return {reinterpret_cast<const char *>(text.data), text.len};
}

/// The reverse. nginx's interfaces take no const; nothing here writes through the result.
inline ngx_str_t to_ngx_str(std::string_view view) noexcept {
  return {view.size(), reinterpret_cast<u_char *>(const_cast<char *>(view.data()))};
}

/// @return a copy in the pool, or a null string where there is no memory.
ngx_str_t copy(ngx_pool_t *pool, std::string_view view) noexcept;

bool has_control_characters(std::string_view text) noexcept;

/// Makes text from outside fit for a log line: shortened, control characters and bytes beyond ASCII as dots.
/// @return a copy in the pool, empty where there is no memory.
ngx_str_t printable(ngx_pool_t *pool, std::string_view text) noexcept;

/// ASCII only, as HTTP compares the names of headers (RFC 9110 section 5.1).
bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept;

}  // namespace nginx
