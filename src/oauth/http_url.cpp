#include "http_url.h"

#include <algorithm>

#include "../jose/percent.h"
#include "../jose/strings.h"

namespace oauth {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// RFC 3986 section 3.3: pchar, and what separates segments.
bool is_of_path(char c) noexcept {
  constexpr std::string_view punctuation = "!$&'()*+,;=:@/";
  return is_unreserved(c) || punctuation.find(c) != std::string_view::npos;
}

bool is_of_query(char c) noexcept {
  return is_of_path(c) || c == '?';
}

bool is_of_ipv6_address(char c) noexcept {
  return is_hex_digit(c) || c == ':' || c == '.';
}

/// @return whether each character is allowed, or stands in a percent-encoded byte.
template <typename IsAllowed>
bool consists_of(std::string_view text, IsAllowed is_allowed) noexcept {
  while (!text.empty()) {
    const bool is_encoded = jose::percent_decode(text) >= 0;
    if (!is_encoded && !is_allowed(text[0])) {
      return false;
    }
    text.remove_prefix(is_encoded ? jose::percent_encoded_size : 1);
  }
  return true;
}

/// @return how many characters the host has, at the beginning of the authority; 0 where there is no good one.
std::size_t host_size(std::string_view authority) noexcept {
  if (authority.substr(0, 1) != "[") {
    const std::string_view host = authority.substr(0, authority.find(':'));
    return consists_of(host, is_unreserved) ? host.size() : 0;
  }
  const std::string_view address = authority.substr(1, authority.find(']') - 1);
  const bool is_closed = address.size() + 2 <= authority.size();
  return is_closed && !address.empty() && std::all_of(address.begin(), address.end(), is_of_ipv6_address)
             ? address.size() + 2
             : 0;
}

/// @param text what follows the host.
bool is_port(std::string_view text) noexcept {
  constexpr std::size_t longest = 6;  // ":65535"
  return text.empty() ||
         (text[0] == ':' && text.size() > 1 && text.size() <= longest && std::all_of(&text[1], text.end(), is_digit));
}

/// @return the size of `http://` or `https://` at the beginning; 0 where there is neither.
std::size_t scheme_size(std::string_view text) noexcept {
  for (const std::string_view scheme : {std::string_view("https://"), std::string_view("http://")}) {
    if (jose::equal_ignoring_case(text.substr(0, scheme.size()), scheme)) {
      return scheme.size();
    }
  }
  return 0;
}

}  // namespace

bool is_unreserved(char c) noexcept {
  constexpr std::string_view marks = "-._~";
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
}

bool parse_http_url(std::string_view text, HttpUrl &url) noexcept {
  const std::size_t scheme = scheme_size(text);
  const std::size_t path = std::min(text.find_first_of("/?", scheme), text.size());
  const std::size_t query = std::min(text.find('?', path), text.size());
  const std::string_view authority = text.substr(scheme, path - scheme);
  const std::size_t host = host_size(authority);
  if (scheme == 0 || host == 0 || !is_port(authority.substr(host)) ||
      !consists_of(text.substr(path, query - path), is_of_path) || !consists_of(text.substr(query), is_of_query)) {
    return false;
  }
  url = {text.substr(0, path), text.substr(path, query - path), text.substr(query)};
  return true;
}

}  // namespace oauth
