#include "waiting.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../configuration/module_configuration.h"

namespace gateway {
namespace {

const ngx_http_phase_handler_t *phase_handlers(const ngx_http_request_t *r) noexcept {
  return core_main_of(r).phase_engine.handlers;
}

/// @return where the handler stands now, or -1.
ngx_int_t find_place(const ngx_http_request_t *r, ngx_http_handler_pt handler) noexcept {
  const ngx_http_phase_handler_t *handlers = phase_handlers(r);
  for (ngx_int_t place = 0; handlers[place].checker != nullptr; place++) {
    if (handlers[place].handler == handler) {
      return place;
    }
  }
  return -1;
}

/// ngx_http_upstream_check_broken_connection() lets a response go on that is being cached, and one of a location with
/// proxy_ignore_client_abort. A JWK Set is for all requests of the worker: no client may keep it from coming.
bool goes_on_without_client(const AsRequest &request) noexcept {
  const ngx_http_request_t *subrequest = request.running.subrequest;
  const ngx_http_upstream_t *upstream = subrequest == nullptr ? nullptr : subrequest->upstream;
  return upstream != nullptr && !request.running.has_ended() &&
         (!request.asked.is_about_token() || upstream->conf->ignore_client_abort != 0 ||
          (upstream->cacheable != 0 && upstream->peer.connection != nullptr));
}

/// Read event: the client has sent more, or has gone.
void watch_client(ngx_http_request_t *r) noexcept {
  RequestState *state = find_state(r);
  if (state != nullptr && state->waiting.awaited != nullptr && goes_on_without_client(*state->waiting.awaited)) {
    state->waiting.client_stirred = true;
    ngx_http_block_reading(r);
    return;
  }
  ngx_http_test_reading(r);
}

/// @return whether the client has gone while a subrequest went on without it; then nginx has ended the request.
bool has_gone(ngx_http_request_t *r, const RequestState &state) noexcept {
  if (!state.waiting.client_stirred) {
    return false;
  }
  const ngx_http_event_handler_pt own = r->write_event_handler;
  const ngx_http_event_handler_pt main = r->main->write_event_handler;
  ngx_http_test_reading(r);
  return r->write_event_handler != own || r->main->write_event_handler != main;
}

/// Write event, and what nginx calls for a posted request.
void resume(ngx_http_request_t *r) noexcept {
  RequestState *state = find_state(r);
  if (state == nullptr || still_waits(*state) || has_gone(r, *state)) {
    return;
  }
  if (r->read_event_handler == watch_client) {
    r->read_event_handler = state->waiting.read_event_handler;
  }
  const ngx_int_t place = find_place(r, state->waiting.handler);
  if (place == -1) {
    state->waiting.awaited = nullptr;
    const ngx_str_t name = display_name(core_location_of(r));
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "phantom token: another module has taken this module's handler out of the phases: refused, location "
                  "\"%V\"",
                  &name);
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    return;
  }
  r->phase_handler = place;
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
}

/// As ngx_http_upstream_init_request() does: who has left already is noticed too. Where another module reads the
/// request's body, reading stays its business.
bool start_watching(ngx_http_request_t *r, RequestState &state) noexcept {
  if (r->read_event_handler != ngx_http_block_reading && r->read_event_handler != ngx_http_request_empty_handler) {
    return true;
  }
  state.waiting.client_stirred = false;
  state.waiting.read_event_handler = r->read_event_handler;
  r->read_event_handler = watch_client;
  ngx_event_t *event = r->connection->read;
  if (event->ready != 0) {
    ngx_post_event(event, &ngx_posted_events);
    return true;
  }
  return ngx_handle_read_event(event, 0) == NGX_OK;
}

}  // namespace

ngx_int_t wait(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
               AsRequest *request) noexcept {
  state.waiting.awaited = request;
  state.waiting.location = &location;
  state.waiting.handler = phase_handlers(r)[r->phase_handler].handler;
  r->write_event_handler = resume;
  return start_watching(r, state) ? NGX_AGAIN : NGX_ERROR;
}

bool still_waits(const RequestState &state) noexcept {
  return state.waiting.awaited != nullptr && !state.waiting.awaited->running.has_ended();
}

void post(ngx_http_request_t *r, AsRequest &request) noexcept {
  const RequestState *state = find_state(r);
  if (state != nullptr && state->waiting.awaited == &request) {
    (void)ngx_http_post_request(r, &request.running.wake);  // it fails where it is to find memory
  }
}

}  // namespace gateway
