#include "response_timeout.h"

#include "../../nginx/fake_connection.h"
#include "completion.h"

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

void expire(ngx_event_t *event) noexcept {
  auto &request = *static_cast<AsRequest *>(event->data);
  ngx_http_request_t *subrequest = request.running.subrequest;
  ngx_connection_t *connection = subrequest->connection;
  if (!request.running.has_ended()) {
    if (request.captured.fault == CaptureFault::none) {
      request.captured.fault = CaptureFault::timed_out;
    }
    complete(subrequest, request, NGX_HTTP_GATEWAY_TIME_OUT);
  }
  if (release(subrequest)) {
    subrequest->write_event_handler = ngx_http_request_empty_handler;
    ngx_http_finalize_request(subrequest, NGX_HTTP_GATEWAY_TIME_OUT);
  } else {
    ngx_add_timer(event, next_look);
  }
  ngx_http_run_posted_requests(connection);
}

void stop(void *data) noexcept {
  static_cast<AsRequest *>(data)->running.stop_timeout();
}

}  // namespace

bool prepare_timeout(ngx_pool_t *pool, AsRequest &request) noexcept {
  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, 0);
  if (cleanup == nullptr) {
    return false;
  }
  cleanup->handler = stop;
  cleanup->data = &request;
  return true;
}

void start_timeout(AsRequest &request, ngx_msec_t timeout) noexcept {
  ngx_event_t &event = request.running.timeout;
  event.handler = expire;
  event.data = &request;
  event.log = request.running.subrequest->connection->log;
  ngx_add_timer(&event, timeout);
}

}  // namespace gateway
