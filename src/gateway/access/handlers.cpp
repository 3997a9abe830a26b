// Where nginx calls the gateway: phase handlers and filters.

#include "handlers.h"

#include <string_view>

#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../nginx/upstreams.h"
#include "../../oauth/bearer.h"
#include "../configuration/module_configuration.h"
#include "../configuration/variable_indices.h"
#include "../observation/metrics.h"
#include "../observation/variables.h"
#include "../subrequest/cache_guard.h"
#include "../subrequest/capture.h"
#include "../subrequest/request_state.h"
#include "access_check.h"
#include "authorization.h"
#include "refusal.h"

namespace gateway {
namespace {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

const phantom_token_location_t &location_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<phantom_token_location_t *>(ngx_http_get_module_loc_conf(r, ngx_http_phantom_token_module));
}

const ngx_http_core_loc_conf_t &core_location_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

/// Access phase: nginx runs it for the client's request only, and again after every internal redirect.
ngx_int_t access_handler(ngx_http_request_t *r) {
  const phantom_token_location_t &location = location_of(r);
  return location.enabled == PHANTOM_TOKEN_OFF ? NGX_DECLINED : check_access(r, location);
}

bool is_in_its_location(const ngx_http_request_t *r, const Call &call) noexcept {
  return call_of(r) != nullptr && call.arrived && !is_redirected(r, call);
}

/// A subrequest of ours runs in the location that its endpoint leads to and nowhere else: a response with
/// X-Accel-Redirect sends it to another one before any filter sees that header.
ngx_int_t check_own_subrequest(ngx_http_request_t *r, Call &call) noexcept {
  if (call_of(r) == nullptr || call.arrived || call.done) {
    return NGX_HTTP_BAD_GATEWAY;
  }
  if (!arrive(r, call)) {
    call.out_of_memory = true;
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (is_server_block(core_location_of(r), *static_cast<ngx_http_core_srv_conf_t *>(
                                               ngx_http_get_module_srv_conf(r, ngx_http_core_module)))) {
    call.misconfiguration = "no location matches it: add one that is internal";
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (!is_internal(core_location_of(r))) {
    call.misconfiguration = "clients can reach its location: add \"internal;\"";
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_DECLINED;
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

/// nginx's own answer for an `internal` location.
ngx_int_t refuse_foreign_request(ngx_http_request_t *r) noexcept {
  const ngx_str_t name =
      display_name(*static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(r, ngx_http_core_module)));
  ngx_log_error(
      NGX_LOG_ERR, r->connection->log, 0,
      "phantom token: a rewrite, a redirect or an include has brought a request to location \"%V\", where only "
      "the gateway itself asks the authorization server: refused",
      &name);
  return NGX_HTTP_NOT_FOUND;
}

/// Preaccess phase: nginx runs it for subrequests too, which skip the access phase.
ngx_int_t preaccess_handler(ngx_http_request_t *r) {
  const phantom_token_location_t &location = location_of(r);
  if (r != r->main) {
    if (Call *call = call_above(r)) {
      return check_own_subrequest(r, *call);
    }
  }
  if (is_foreign_request(r, location)) {
    return refuse_foreign_request(r);
  }
  if (r == r->main || location.enabled == PHANTOM_TOKEN_OFF) {
    return NGX_DECLINED;
  }
  // NGX_OK would skip the other handlers of this phase.
  const ngx_int_t rc = check_access(r, location);
  return rc == NGX_OK ? NGX_DECLINED : rc;
}

/// Precontent phase: whoever comes here has been granted access, by this module or, under `satisfy any`, by another, or
/// has missed the access handler. A subrequest of ours has missed the preaccess handler where another module's has
/// ended that phase: none may answer it with the client's headers.
ngx_int_t precontent_handler(ngx_http_request_t *r) {
  const phantom_token_location_t &location = location_of(r);
  if (r != r->main) {
    Call *call = call_above(r);
    if (call != nullptr && !is_in_its_location(r, *call)) {
      return check_own_subrequest(r, *call);
    }
  }
  if (r != r->main || location.enabled == PHANTOM_TOKEN_OFF) {
    return NGX_DECLINED;
  }
  return check_before_content(r, location);
}

/// Log phase, before the access log is written.
ngx_int_t log_handler(ngx_http_request_t *r) {
  if (r == r->main) {
    count_request(r);
  }
  forget_variables(r);
  return NGX_OK;
}

/// Before anything is sent that a cache may have found by an incomplete key, or would keep under one.
ngx_int_t refuse_without_key(ngx_http_request_t *r) noexcept {
  forget_variables(r);
  RequestState *state = get_state(r);
  return state == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR
                          : refuse(r, *state, location_of(r),
                                   {oauth::Outcome::internal_error,
                                    "$phantom_token_key cannot be computed: no memory, or OpenSSL failed"});
}

ngx_int_t header_filter(ngx_http_request_t *r) {
  if (r != r->main) {
    if (Call *call = call_of(r)) {
      return capture_header(r, *call);
    }
    if (const Call *call = call_above(r)) {
      guard_background_update(r, *call);
    }
  }
  const ngx_int_t refusal = has_lost_key(r) ? refuse_without_key(r) : refuse_other_answer(r, location_of(r));
  if (refusal != NGX_DECLINED) {
    return ngx_http_filter_finalize_request(r, &ngx_http_phantom_token_module, refusal);
  }
  replace_error_header(r);
  return next_header_filter(r);
}

ngx_int_t body_filter(ngx_http_request_t *r, ngx_chain_t *in) {
  if (r != r->main) {
    if (Call *call = call_of(r)) {
      capture_body(r, *call, in);
      return NGX_OK;
    }
  }
  ngx_chain_t *out = replace_error_body(r, in);
  return out == nullptr && in != nullptr ? NGX_ERROR : next_body_filter(r, out);
}

bool insert_handler(ngx_array_t &handlers, ngx_uint_t place, ngx_http_handler_pt handler) noexcept {
  if (ngx_array_push(&handlers) == nullptr) {
    return false;
  }
  auto *items = static_cast<ngx_http_handler_pt *>(handlers.elts);
  for (ngx_uint_t i = handlers.nelts - 1; i > place; i--) {
    items[i] = items[i - 1];
  }
  items[place] = handler;
  return true;
}

bool append_handler(ngx_array_t &handlers, ngx_http_handler_pt handler) noexcept {
  return insert_handler(handlers, handlers.nelts, handler);
}

}  // namespace

ngx_int_t install_handlers(ngx_conf_t *cf) noexcept {
  auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  // Handlers of a phase run in the reverse order of its array, where a dynamic module comes last. The access handler
  // belongs right behind auth_request's, the first of nginx's own: then allow and deny and auth_basic run before it,
  // and a policy service behind auth_request sees the JWT. The log phase alone runs forwards.
  const ngx_uint_t behind_auth_request = has_module(cf, "ngx_http_auth_request_module") ? 1 : 0;
  if (!insert_handler(cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers, behind_auth_request, access_handler) ||
      !append_handler(cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers, preaccess_handler) ||
      !append_handler(cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers, precontent_handler) ||
      !insert_handler(cmcf->phases[NGX_HTTP_LOG_PHASE].handlers, 0, log_handler)) {
    return NGX_ERROR;
  }
  next_header_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = header_filter;
  next_body_filter = ngx_http_top_body_filter;
  ngx_http_top_body_filter = body_filter;
  return NGX_OK;
}

}  // namespace gateway
