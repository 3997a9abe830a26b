#include "endpoint_uri.h"

#include "../../nginx/complex_value.h"
#include "../configuration/endpoint.h"
#include "../configuration/variable_indices.h"
#include "request_state.h"

namespace gateway {

bool evaluate_endpoint(ngx_http_request_t *r, ngx_http_complex_value_t *endpoint, ngx_str_t &uri) noexcept {
  const RequestState *state = is_constant(*endpoint) ? nullptr : find_state_above(r);
  ngx_table_elt_t *current = r->headers_in.authorization;
  if (state == nullptr || current == nullptr) {
    return evaluate(r, *endpoint, uri);
  }
  ngx_table_elt_t sent = *current;
  sent.value = state->authorization;
  r->headers_in.authorization = &sent;
  const bool is_evaluated = evaluate(r, *endpoint, uri);
  r->headers_in.authorization = current;
  // The access log would take the value that has been read last.
  forget_authorization(r);
  return is_evaluated;
}

}  // namespace gateway
