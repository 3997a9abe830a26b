#include "preflight.h"

#include "../../nginx/header_list.h"

namespace gateway {

bool is_preflight(const ngx_http_request_t *r) noexcept {
  // With Upgrade, which no browser adds, one that passes would be a tunnel to the API.
  return r->method == NGX_HTTP_OPTIONS && find_header(r->headers_in.headers, "Upgrade") == nullptr &&
         find_header(r->headers_in.headers, "Origin") != nullptr &&
         find_header(r->headers_in.headers, "Access-Control-Request-Method") != nullptr;
}

}  // namespace gateway
