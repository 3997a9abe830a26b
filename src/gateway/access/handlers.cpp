// Where nginx calls the gateway: phase handlers and filters.

#include "handlers.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/modules.h"
#include "../configuration/module_configuration.h"
#include "../configuration/variable_indices.h"
#include "../observation/metrics.h"
#include "../subrequest/cache_guard.h"
#include "../subrequest/capture.h"
#include "access_check.h"
#include "precontent_check.h"
#include "proof_check.h"
#include "refusal.h"
#include "revoke.h"
#include "subrequest_guard.h"

namespace gateway {
namespace {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

/// Access phase: nginx runs it for the client's request only, and again after every internal redirect.
ngx_int_t access_handler(ngx_http_request_t *r) noexcept {
  const phantom_token_location_t &location = location_of(r);
  return location.enabled == PHANTOM_TOKEN_OFF ? NGX_DECLINED : check_access(r, location);
}

/// Preaccess phase: nginx runs it for subrequests too, which skip the access phase.
ngx_int_t preaccess_handler(ngx_http_request_t *r) noexcept {
  const phantom_token_location_t &location = location_of(r);
  if (r != r->main) {
    if (AsRequest *request = as_request_above(r)) {
      return check_own_subrequest(r, *request);
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
ngx_int_t precontent_handler(ngx_http_request_t *r) noexcept {
  const phantom_token_location_t &location = location_of(r);
  if (r != r->main) {
    AsRequest *request = as_request_above(r);
    if (request != nullptr && !is_in_its_location(r, *request)) {
      return check_own_subrequest(r, *request);
    }
  }
  if (r == r->main && location.enabled != PHANTOM_TOKEN_OFF) {
    const ngx_int_t rc = check_before_content(r, location);
    if (rc != NGX_DECLINED) {
      return rc;
    }
  }
  return location.enclosing_location->takes_revocations != nullptr ? take_revocation(r, location) : NGX_DECLINED;
}

/// Log phase, before the access log is written.
ngx_int_t log_handler(ngx_http_request_t *r) noexcept {
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

ngx_int_t header_filter(ngx_http_request_t *r) noexcept {
  if (r != r->main) {
    if (AsRequest *request = as_request_of(r)) {
      return capture_header(r, *request);
    }
    if (const AsRequest *request = as_request_above(r)) {
      guard_background_update(r, request->asked);
    }
  }
  const ngx_int_t refusal = has_lost_key(r) ? refuse_without_key(r) : refuse_other_answer(r, location_of(r));
  if (refusal != NGX_DECLINED) {
    return ngx_http_filter_finalize_request(r, &ngx_http_phantom_token_module, refusal);
  }
  if (!add_next_nonce(r, location_of(r))) {
    return NGX_ERROR;
  }
  replace_error_header(r);
  return next_header_filter(r);
}

ngx_int_t body_filter(ngx_http_request_t *r, ngx_chain_t *in) noexcept {
  if (r != r->main) {
    if (AsRequest *request = as_request_of(r)) {
      capture_body(r, *request, in);
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

/// The access handler runs before auth_request's, so that a policy service sees the JWT, and after those of auth_basic,
/// allow and deny. nginx's array has them as auth_request, auth_basic, access, and runs it backwards: our place is
/// behind auth_request's. That module, which nginx's configure builds in or leaves out, is the first in the order of
/// modules that has a handler of this phase. Where it is left out, our place is the first.
///
/// Who makes a dynamic module of it loads it behind all that is built in. Its handler is not there yet then, comes last
/// in the array, and runs first, as that of every dynamic module.
ngx_uint_t place_of_access_handler(const ngx_conf_t *cf) noexcept {
  return has_module_before(cf, "ngx_http_auth_request_module", ngx_http_phantom_token_module) ? 1 : 0;
}

bool append_handler(ngx_array_t &handlers, ngx_http_handler_pt handler) noexcept {
  return insert_handler(handlers, handlers.nelts, handler);
}

}  // namespace

ngx_int_t install_handlers(ngx_conf_t *cf) noexcept {
  ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  // nginx runs the handlers of a phase from the last of its array to the first, and those of the log phase forwards.
  if (!insert_handler(cmcf.phases[NGX_HTTP_ACCESS_PHASE].handlers, place_of_access_handler(cf), access_handler) ||
      !append_handler(cmcf.phases[NGX_HTTP_PREACCESS_PHASE].handlers, preaccess_handler) ||
      !append_handler(cmcf.phases[NGX_HTTP_PRECONTENT_PHASE].handlers, precontent_handler) ||
      !insert_handler(cmcf.phases[NGX_HTTP_LOG_PHASE].handlers, 0, log_handler)) {
    return NGX_ERROR;
  }
  next_header_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = header_filter;
  next_body_filter = ngx_http_top_body_filter;
  ngx_http_top_body_filter = body_filter;
  return NGX_OK;
}

}  // namespace gateway
