#include "response_timeout.h"

#include "../../nginx/fake_connection.h"
#include "capture.h"

namespace gateway {
namespace {

/// How long until a subrequest that could not be ended is looked at again.
constexpr ngx_msec_t next_look = 100;

/// As nginx does when the client's request is terminated (ngx_http_upstream_cleanup()): it works in each state of an
/// upstream. That takes a reference from the request, and the subrequest still needs its own.
void end_upstream(ngx_http_request_t *subrequest) noexcept {
  const ngx_http_cleanup_pt cleanup = *subrequest->upstream->cleanup;
  subrequest->main->count++;
  cleanup(subrequest);
}

bool has_upstream(const ngx_http_request_t *subrequest) noexcept {
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  return upstream != nullptr && upstream->cleanup != nullptr && *upstream->cleanup != nullptr;
}

bool waits_for_cache_lock(const ngx_http_request_t *subrequest) noexcept {
#if (NGX_HTTP_CACHE)
  return subrequest->cache != nullptr && subrequest->cache->waiting != 0;
#else
  (void)subrequest;
  return false;
#endif
}

/// What ngx_http_file_cache_lock() has begun.
void end_cache_lock(ngx_http_request_t *subrequest) noexcept {
#if (NGX_HTTP_CACHE)
  if (subrequest->cache->wait_event.timer_set != 0) {
    ngx_del_timer(&subrequest->cache->wait_event);
  }
  subrequest->cache->waiting = 0;
  subrequest->main->blocked--;
#else
  (void)subrequest;
#endif
}

/// limit_req, and every module that waits for a timer of its connection.
bool is_delayed(const ngx_http_request_t *subrequest) noexcept {
  return subrequest->connection->write->timer_set != 0 || subrequest->connection->read->timer_set != 0;
}

/// @return false where a thread works for the subrequest, or another module holds it by means of its own, and would
/// come
///   back to it.
bool release(ngx_http_request_t *subrequest) noexcept {
  if (subrequest->aio != 0) {
    return false;
  }
  if (has_upstream(subrequest)) {
    end_upstream(subrequest);
    return true;
  }
  if (waits_for_cache_lock(subrequest)) {
    end_cache_lock(subrequest);
    return true;
  }
  return is_delayed(subrequest);
}

void expire(ngx_event_t *event) {
  auto &call = *static_cast<Call *>(event->data);
  ngx_http_request_t *subrequest = call.subrequest;
  ngx_connection_t *connection = subrequest->connection;
  if (!call.done) {
    call.timed_out = true;
    complete_call(subrequest, call, NGX_HTTP_GATEWAY_TIME_OUT);
  }
  if (release(subrequest)) {
    subrequest->write_event_handler = ngx_http_request_empty_handler;
    ngx_http_finalize_request(subrequest, NGX_HTTP_GATEWAY_TIME_OUT);
  } else {
    ngx_add_timer(event, next_look);
  }
  ngx_http_run_posted_requests(connection);
}

void stop(void *data) {
  stop_timeout(*static_cast<Call *>(data));
}

}  // namespace

bool prepare_timeout(ngx_pool_t *pool, Call &call) noexcept {
  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, 0);
  if (cleanup == nullptr) {
    return false;
  }
  cleanup->handler = stop;
  cleanup->data = &call;
  return true;
}

void start_timeout(Call &call, ngx_msec_t timeout) noexcept {
  call.timeout.handler = expire;
  call.timeout.data = &call;
  call.timeout.log = call.subrequest->connection->log;
  ngx_add_timer(&call.timeout, timeout);
}

void stop_timeout(Call &call) noexcept {
  if (call.timeout.timer_set != 0) {
    ngx_del_timer(&call.timeout);
  }
}

}  // namespace gateway
