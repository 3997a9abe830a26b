#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// @return what is declared under that name, prefixes aside, or nullptr; while the configuration is read.
const ngx_http_variable_t *find_variable(const ngx_conf_t *cf, std::string_view name) noexcept;

/// @return the index of a variable that the configuration reads; NGX_ERROR where it does not.
ngx_int_t find_variable_index(const ngx_conf_t *cf, std::string_view name) noexcept;

/// Lets the request evaluate the variable anew when it is next read.
inline void forget_variable(ngx_http_request_t *r, ngx_uint_t index) noexcept {
  r->variables[index].valid = 0;
  r->variables[index].not_found = 0;
}

}  // namespace nginx
