#include "deadline.h"

#include <algorithm>

#include "pool_memory.h"

namespace gateway {
namespace {

/// Does what nginx's own timer would do: the upstream's read event, timed out.
void expire(ngx_event_t *event) {
  auto *subrequest = static_cast<ngx_http_request_t *>(event->data);
  Call *call = call_of(subrequest);
  ngx_connection_t *connection = subrequest->upstream == nullptr ? nullptr : subrequest->upstream->peer.connection;
  if (call == nullptr || call->done || connection == nullptr) {
    return;
  }
  call->timed_out = true;
  connection->read->delayed = 0;  // by proxy_limit_rate, whose end nginx would take this for
  connection->read->timedout = 1;
  connection->read->handler(connection->read);
}

void delete_timer(void *data) {
  auto *event = static_cast<ngx_event_t *>(data);
  if (event->timer_set != 0) {
    ngx_del_timer(event);
  }
}

}  // namespace

ngx_int_t start_deadline(ngx_http_request_t *subrequest, Call &call) noexcept {
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  if (upstream == nullptr || upstream->peer.connection == nullptr || subrequest->headers_out.content_length_n == 0) {
    return NGX_OK;
  }
  auto *event = make<ngx_event_t>(subrequest->pool);
  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(subrequest->pool, 0);
  if (event == nullptr || cleanup == nullptr) {
    return NGX_ERROR;
  }
  event->handler = expire;
  event->data = subrequest;
  event->log = subrequest->connection->log;
  cleanup->handler = delete_timer;
  cleanup->data = event;
  call.deadline = event;
  ngx_add_timer(event, upstream->conf->read_timeout);
  // nginx does not move a timer by less than this: its own may still run from when the request was sent.
  const ngx_msec_t slack = std::min<ngx_msec_t>(NGX_TIMER_LAZY_DELAY, ngx_current_msec - call.started);
  call.late_from = ngx_current_msec + upstream->conf->read_timeout - slack;
  return NGX_OK;
}

bool is_late(const Call &call) noexcept {
  return call.deadline != nullptr && static_cast<ngx_msec_int_t>(ngx_current_msec - call.late_from) >= 0;
}

void stop_deadline(Call &call) noexcept {
  if (call.deadline != nullptr) {
    delete_timer(call.deadline);
  }
}

}  // namespace gateway
