#include "subrequest_guard.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/subrequest.h"

namespace gateway {

ngx_int_t check_own_subrequest(ngx_http_request_t *r, AsRequest &request) noexcept {
  if (as_request_of(r) == nullptr || request.running.progress != Progress::sent) {
    return NGX_HTTP_BAD_GATEWAY;
  }
  if (!arrive(r, request)) {
    request.captured.fault = CaptureFault::no_memory;
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (is_server_block(core_location_of(r), core_server_of(r))) {
    request.captured.misconfiguration = "no location matches it: add one that is internal";
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (!is_internal(core_location_of(r))) {
    request.captured.misconfiguration = "clients can reach its location: add \"internal;\"";
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_DECLINED;
}

bool is_in_its_location(const ngx_http_request_t *r, const AsRequest &request) noexcept {
  return as_request_of(r) != nullptr && request.running.progress == Progress::arrived && !is_redirected(r, request);
}

/// `internal` keeps out what a client asks for, but a rewrite, an error page or X-Accel-Redirect gets there with the
/// client's body, and an SSI include from the API's page: the authorization server would answer as if the gateway
/// asked, and nginx keep the answer under the key of the client's token. Whatever the path is: which ones the
/// authorization server takes for an endpoint (`/introspect/x`, `/Introspect;x`) only that server knows, and the
/// location's credentials go with all of them. With variables in an endpoint's path, only a name without a slash tells
/// that no client belongs there.
bool is_foreign_request(const ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  return location.enclosing_location->receives_tokens != 0 || (r == r->main && location.refuses_clients != 0);
}

ngx_int_t refuse_foreign_request(ngx_http_request_t *r) noexcept {
  const ngx_str_t name = display_name(core_location_of(r));
  ngx_log_error(
      NGX_LOG_ERR, r->connection->log, 0,
      "phantom token: a rewrite, a redirect or an include has brought a request to location \"%V\", where only "
      "the gateway itself asks the authorization server: refused",
      &name);
  return NGX_HTTP_NOT_FOUND;
}

}  // namespace gateway
