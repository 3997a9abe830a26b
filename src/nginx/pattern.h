#pragma once

#include <string_view>

#include "nginx.h"

/// A regular expression of the configuration, as nginx compiles them. Its groups capture nothing.
struct phantom_token_pattern_s {
  ngx_str_t text = ngx_null_string;  ///< as it stands in the configuration
#if (NGX_PCRE)
  ngx_regex_t *regex = nullptr;
#endif
};

namespace nginx {

using Pattern = phantom_token_pattern_s;

/// @return the pattern, which lives as long as the configuration; nullptr where it is none, or nginx has been built
///   without PCRE, which has been logged, or there is no memory.
Pattern *compile_pattern(ngx_conf_t *cf, const ngx_str_t &text) noexcept;

/// @return whether the pattern is found anywhere in the text. False too where PCRE gives up, which is logged.
bool matches(const Pattern &pattern, std::string_view text, ngx_log_t *log) noexcept;

}  // namespace nginx
