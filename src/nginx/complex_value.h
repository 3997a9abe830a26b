#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// Evaluates a value as ngx_http_complex_value() does, and keeps the request's captures: a map with a regex would
/// overwrite $1, which the location may have from its own and may need later.
/// @param text set where the result is true; in the request's pool.
/// @return false where there is no memory, or a variable cannot be evaluated.
bool evaluate(ngx_http_request_t *r, ngx_http_complex_value_t &value, ngx_str_t &text) noexcept;

/// @return whether the text has anything beside variables, or no variable at all.
bool has_literal_text(std::string_view text) noexcept;

}  // namespace nginx
