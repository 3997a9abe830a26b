#pragma once

#include <string_view>

namespace oauth {

/// RFC 3986 section 2.3. Where an address is no IP literal, a host that anybody can look up has nothing else.
bool is_unreserved(char c) noexcept;

/// An absolute http or https URL (RFC 9110 section 4.2), taken apart.
struct HttpUrl {
  std::string_view origin;  ///< scheme, `://`, host and port
  std::string_view path;    ///< empty, or begins with `/`
  std::string_view query;   ///< empty, or begins with `?`
};

/// @param url set to views of `text` where the result is true.
/// @return whether the text is such a URL: of nothing but what RFC 3986 allows there, without a fragment, and without
///   user information, which RFC 9110 section 4.2.4 forbids to make.
bool parse_http_url(std::string_view text, HttpUrl &url) noexcept;

}  // namespace oauth
