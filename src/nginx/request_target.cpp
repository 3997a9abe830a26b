#include "request_target.h"

#include <string_view>

#include "strings.h"

namespace nginx {
namespace {

/// @return `:authority`, as HTTP/3 leaves it; the header Host elsewhere.
std::string_view authority_of(const ngx_http_request_t *r) noexcept {
  if (r->headers_in.host != nullptr) {
    return to_view(r->headers_in.host->value);
  }
  return r->host_start == nullptr ? std::string_view()
                                  : std::string_view(reinterpret_cast<const char *>(r->host_start),
                                                     static_cast<std::size_t>(r->host_end - r->host_start));
}

/// @return the host without its port, and without the dot that nginx takes off its end too.
std::string_view host_of(std::string_view authority) noexcept {
  const bool is_literal = authority.substr(0, 1) == "[";
  const std::size_t end = is_literal ? authority.find(']') : authority.find(':');
  std::string_view host = authority.substr(0, is_literal && end != std::string_view::npos ? end + 1 : end);
  host.remove_suffix(!host.empty() && host.back() == '.' ? 1 : 0);
  return host;
}

}  // namespace

bool make_target_uri(const ngx_http_request_t *r, ngx_str_t &uri) noexcept {
  const std::string_view authority = authority_of(r);
  uri = ngx_null_string;
  if (authority.empty() || !equal_ignoring_case(host_of(authority), to_view(r->headers_in.server))) {
    return true;
  }
  const std::string_view scheme = has_tls(r) ? "https://" : "http://";
  const std::size_t size = scheme.size() + authority.size() + r->unparsed_uri.len;
  auto *text = static_cast<u_char *>(ngx_pnalloc(r->pool, size));
  if (text == nullptr) {
    return false;
  }
  u_char *end = ngx_cpymem(text, scheme.data(), scheme.size());
  end = ngx_cpymem(end, authority.data(), authority.size());
  ngx_memcpy(end, r->unparsed_uri.data, r->unparsed_uri.len);
  uri = {size, text};
  return true;
}

}  // namespace nginx
