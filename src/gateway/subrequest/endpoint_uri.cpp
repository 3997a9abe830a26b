#include "endpoint_uri.h"

#include "../configuration/endpoint.h"
#include "../configuration/variable_indices.h"
#include "request_state.h"

namespace gateway {

bool evaluate_endpoint(ngx_http_request_t *r, ngx_http_complex_value_t *endpoint, ngx_str_t &uri) noexcept {
  const RequestState *state = is_constant(*endpoint) ? nullptr : find_state_above(r);
  ngx_table_elt_t *current = r->headers_in.authorization;
  if (state == nullptr || current == nullptr) {
    return ngx_http_complex_value(r, endpoint, &uri) == NGX_OK;
  }
  ngx_table_elt_t sent = *current;
  sent.value = state->authorization;
  r->headers_in.authorization = &sent;
  const ngx_int_t rc = ngx_http_complex_value(r, endpoint, &uri);
  r->headers_in.authorization = current;
  // The access log would take the value that has been read last.
  forget_authorization(r);
  return rc == NGX_OK;
}

}  // namespace gateway
