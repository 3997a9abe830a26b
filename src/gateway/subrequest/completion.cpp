#include "completion.h"

#include "../../nginx/cache_entry.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/fake_connection.h"
#include "../../nginx/header_list.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "cache_guard.h"
#include "coalescing.h"
#include "misconfiguration.h"
#include "subrequest_headers.h"
#include "waiting.h"

namespace gateway {
namespace {

/// Whether nginx itself is to go on with rc: the client has gone, or the subrequest has not ended yet.
bool is_nginx_business(const ngx_http_request_t *subrequest, ngx_int_t rc) noexcept {
  const ngx_connection_t *client = subrequest->connection;
  return client->error != 0 || rc == NGX_AGAIN || (rc == NGX_HTTP_REQUEST_TIME_OUT && client->timedout != 0) ||
         (rc == NGX_OK && subrequest->buffered != 0);
}

/// Whether nginx's own timer has ended the response within its body. The connection is closed by now, but its memory is
/// nginx's own and nobody has taken it since.
bool has_read_timeout(const RunningSubrequest &running) noexcept {
  return running.server_read != nullptr && running.server_read->timedout != 0;
}

/// The status, and whose word it is.
void note_status(const ngx_http_request_t &subrequest, AsRequest &request, ngx_int_t rc) noexcept {
  CapturedResponse &captured = request.captured;
  oauth::Response &response = captured.response;
  const bool is_status = rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_HTTP_CREATED || rc == NGX_HTTP_NO_CONTENT;
  const bool is_overdue = captured.fault == CaptureFault::timed_out;
  if (is_overdue || (!response.complete && has_read_timeout(request.running))) {
    response.status = NGX_HTTP_GATEWAY_TIME_OUT;
    captured.contact = is_overdue ? Contact::overdue : Contact::late;
  } else if ((is_status && captured.fault != CaptureFault::given_up) || response.status == 0) {
    response.status = is_status ? static_cast<unsigned>(rc) : NGX_HTTP_BAD_GATEWAY;
    captured.contact = contact_of_failure(subrequest, response.status);
  }
  // With proxy_intercept_errors no header comes to the filter.
  if (!response.answered && (captured.contact == Contact::server || captured.contact == Contact::cache)) {
    response.answered = true;
    response.complete = true;
  }
  response.explanation = explain(captured.contact);
  // A cache file that has been cut short is served without complaint.
  if (rc == NGX_ERROR ||
      (captured.declared_length != -1 && captured.declared_length != static_cast<off_t>(response.body_size))) {
    response.complete = false;
  }
}

/// With proxy_intercept_errors the server's own header never comes to the filter.
ngx_str_t find_retry_after(const ngx_http_request_t *subrequest) noexcept {
  const ngx_table_elt_t *header = find_header(subrequest->headers_out.headers, "Retry-After");
  if (header == nullptr && subrequest->upstream != nullptr) {
    header = find_header(subrequest->upstream->headers_in.headers, "Retry-After");
  }
  return header == nullptr ? ngx_str_t(ngx_null_string) : header->value;
}

/// Whether the authorization server has been asked: a cache that answers by itself, stale or not, asks nobody.
bool has_reached_server(const ngx_http_request_t &subrequest) noexcept {
  if (subrequest.upstream == nullptr) {
    return false;
  }
#if (NGX_HTTP_CACHE)
  switch (subrequest.upstream->cache_status) {
    case NGX_HTTP_CACHE_HIT:
    case NGX_HTTP_CACHE_STALE:
    case NGX_HTTP_CACHE_UPDATING:
      return false;
    default:
      break;
  }
#endif
  return true;
}

/// What is wrong with the cache's key may be this client's doing: then the answer is for it alone.
void note_cache_use(ngx_http_request_t *subrequest, AsRequest &request) noexcept {
  CapturedResponse &captured = request.captured;
  if (subrequest->upstream != nullptr) {
    captured.cache.status = subrequest->upstream->cache_status;
  }
  captured.cache.stale_since = stale_since(subrequest);
  captured.cache.is_being_renewed = is_being_renewed(subrequest);
  captured.is_for_all =
      request.asked.feeds_hot_cache && captured.misconfiguration == nullptr && answers_key(subrequest, request.asked);
  if (captured.is_for_all) {
    captured.cache.held_until = cached_until(subrequest);
  }
}

/// All that is known when the subrequest ends and not earlier.
void note_end(ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc) noexcept {
  CapturedResponse &captured = request.captured;
  captured.duration = ngx_current_msec - request.running.started;
  note_status(*subrequest, request, rc);
  captured.retry_after = find_retry_after(subrequest);
  captured.redirect_target = redirect_target(*subrequest, captured.response.status);
  captured.has_reached_server = has_reached_server(*subrequest);
  captured.location_name = display_name(core_location_of(subrequest));
  if (is_redirected(subrequest, request)) {
    captured.fault = CaptureFault::redirected;
  } else if (captured.response.answered && subrequest->header_sent == 0 && captured.misconfiguration == nullptr) {
    // proxy_intercept_errors: nginx has kept the status alone, and the header filter has not seen it.
    captured.misconfiguration = find_misconfiguration(subrequest, request);
  }
  note_cache_use(subrequest, request);
}

void log_answer([[maybe_unused]] const ngx_http_request_t &subrequest,
                [[maybe_unused]] const CapturedResponse &captured) noexcept {
  ngx_str_t cache = to_ngx_str("none");
#if (NGX_HTTP_CACHE)
  if (captured.cache.status != 0) {
    cache = ngx_http_cache_status[captured.cache.status - 1];
  }
#endif
  ngx_log_debug3(NGX_LOG_DEBUG_HTTP, subrequest.connection->log, 0,
                 "phantom token: an answer with status %ui and %uz bytes, cache %V",
                 static_cast<ngx_uint_t>(captured.response.status), captured.response.body_size, &cache);
}

/// As nginx ends a subrequest in the background: its parent may have ended, and waits for nothing here that has not
/// been posted already.
void detach(ngx_http_request_t *subrequest) noexcept {
  subrequest->background = 1;
  subrequest->discard_body = 0;
  if (subrequest->aio == 0) {
    subrequest->buffered = 0;
  }
  stop_events(*subrequest->connection);
}

}  // namespace

void complete(ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc) noexcept {
  restore_parents_headers(subrequest->parent, *request.running.headers);
  note_end(subrequest, request, rc);
  log_answer(*subrequest, request.captured);
  request.running.progress = Progress::done;
  if (request.running.on_completion != nullptr) {
    request.running.on_completion(subrequest, request);
  }
  share(request);
  post(subrequest->parent, request);
}

ngx_int_t finish_subrequest(ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc) noexcept {
  if (is_nginx_business(subrequest, rc)) {
    return rc;
  }
  if (!request.running.has_ended()) {
    complete(subrequest, request, rc);
  }
  request.running.stop_timeout();
  detach(subrequest);
  // Any error would become an error page or the end of the client's request. It is this subrequest's alone.
  return NGX_OK;
}

}  // namespace gateway
