#include "capture.h"

#include <algorithm>

#include "../../nginx/cache_entry.h"
#include "../../nginx/fake_connection.h"
#include "../../nginx/header_list.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../observation/metrics.h"
#include "cache_guard.h"
#include "coalescing.h"
#include "contact.h"
#include "key_store.h"
#include "response_timeout.h"
#include "subrequest_headers.h"
#include "waiting.h"

namespace gateway {
namespace {

constexpr std::size_t first_capacity = 4096;

/// Makes room for more bytes and the terminator that the JSON reader wants behind them.
bool reserve(ngx_pool_t *pool, Call &call, std::size_t more) noexcept {
  const std::size_t needed = call.response.body_size + more;
  if (call.response.body != nullptr && needed <= call.body_capacity) {
    return true;
  }
  std::size_t capacity = std::max({needed, 2 * call.body_capacity, first_capacity});
  capacity = std::max(needed, std::min(capacity, call.largest_response));
  auto *body = static_cast<char *>(ngx_pnalloc(pool, capacity + 1));
  if (body == nullptr) {
    return false;
  }
  if (call.response.body != nullptr) {
    ngx_memcpy(body, call.response.body, call.response.body_size);
    (void)ngx_pfree(pool, call.response.body);
  }
  call.response.body = body;
  call.body_capacity = capacity;
  return true;
}

/// Ends a response that nobody will read, so that it cannot be endless; the part in the cache's temporary file goes
/// too.
void cut_off(ngx_http_request_t *subrequest) noexcept {
  ngx_http_upstream_t *upstream = subrequest->upstream;
  if (upstream == nullptr) {
    return;
  }
  upstream->error = 1;
  if (upstream->pipe != nullptr) {
    upstream->pipe->upstream_error = 1;
  }
}

void append(ngx_http_request_t *subrequest, Call &call, const ngx_buf_t &buffer) noexcept {
  const auto size = static_cast<std::size_t>(ngx_buf_size(&buffer));
  if (size == 0 || call.done || call.response.too_large || call.out_of_memory) {
    return;
  }
  if (size > call.largest_response - call.response.body_size) {
    call.response.too_large = true;
    cut_off(subrequest);
    return;
  }
  // The copy filter has read files into memory, as the subrequest asked it to.
  if (!ngx_buf_in_memory(&buffer) || !reserve(subrequest->pool, call, size)) {
    call.out_of_memory = true;
    cut_off(subrequest);
    return;
  }
  ngx_memcpy(call.response.body + call.response.body_size, buffer.pos, size);
  call.response.body_size += size;
}

/// nginx reads a response whose Content-Length is no number to its end, as if it had none.
bool has_broken_length(const ngx_http_request_t *subrequest) noexcept {
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  return upstream != nullptr && upstream->headers_in.content_length != nullptr &&
         upstream->headers_in.content_length_n < 0 && upstream->headers_in.chunked == 0;
}

/// Whether nginx itself is to go on with rc: the client has gone, or the subrequest has not ended yet.
bool is_nginx_business(const ngx_http_request_t *subrequest, ngx_int_t rc) noexcept {
  const ngx_connection_t *client = subrequest->connection;
  return client->error != 0 || rc == NGX_AGAIN || (rc == NGX_HTTP_REQUEST_TIME_OUT && client->timedout != 0) ||
         (rc == NGX_OK && subrequest->buffered != 0);
}

/// Whether nginx's own timer has ended the response within its body. The connection is closed by now, but its memory is
/// nginx's own and nobody has taken it since.
bool has_read_timeout(const Call &call) noexcept {
  return call.server_read != nullptr && call.server_read->timedout != 0;
}

void record_result(const ngx_http_request_t &subrequest, Call &call, ngx_int_t rc) noexcept {
  oauth::Response &response = call.response;
  const bool is_status = rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_HTTP_CREATED || rc == NGX_HTTP_NO_CONTENT;
  if (call.timed_out || (!response.complete && has_read_timeout(call))) {
    response.status = NGX_HTTP_GATEWAY_TIME_OUT;
    call.contact = call.timed_out ? Contact::overdue : Contact::late;
  } else if ((is_status && !call.gave_up) || response.status == 0) {
    response.status = is_status ? static_cast<unsigned>(rc) : NGX_HTTP_BAD_GATEWAY;
    call.contact = contact_of_failure(subrequest, response.status);
  }
  // With proxy_intercept_errors no header comes to the filter.
  if (!response.answered && (call.contact == Contact::server || call.contact == Contact::cache)) {
    response.answered = true;
    response.complete = true;
  }
  response.explanation = explain(call.contact);
  // A cache file that has been cut short is served without complaint.
  if (rc == NGX_ERROR ||
      (call.declared_length != -1 && call.declared_length != static_cast<off_t>(response.body_size))) {
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
bool came_to_server(const ngx_http_request_t &subrequest) noexcept {
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

/// A location that answers in its rewrite phase has not passed the preaccess phase; nothing that asks a server does so.
const char *find_misconfiguration(ngx_http_request_t *subrequest, const Call &call) noexcept {
  if (!call.arrived && subrequest->upstream != nullptr) {
    return "another module keeps the subrequest from the preaccess and precontent phases: load this module after it";
  }
  const auto *location =
      static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(subrequest, ngx_http_core_module));
  if (!is_internal(*location)) {
    return "clients can reach its location: add \"internal;\"";
  }
  const char *unnamed_server = find_unnamed_server(subrequest, call);
  return unnamed_server != nullptr ? unnamed_server : find_unsafe_cache_key(subrequest, call);
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

void complete_call(ngx_http_request_t *subrequest, Call &call, ngx_int_t rc) noexcept {
  restore_parents_headers(subrequest->parent, *call.headers);
  call.duration = ngx_current_msec - call.started;
  record_result(*subrequest, call, rc);
  call.retry_after = find_retry_after(subrequest);
  call.redirect_target = redirect_target(*subrequest, call.response.status);
  call.redirected = is_redirected(subrequest, call);
  if (call.response.answered && subrequest->header_sent == 0 && call.misconfiguration == nullptr && !call.redirected) {
    // proxy_intercept_errors: nginx has kept the status alone, and the header filter has not seen it.
    call.misconfiguration = find_misconfiguration(subrequest, call);
  }
  const auto *location =
      static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(subrequest, ngx_http_core_module));
  call.location_name = display_name(*location);
  if (subrequest->upstream != nullptr) {
    call.cache_status = subrequest->upstream->cache_status;
  }
  call.ended = stale_since(subrequest);
  call.is_being_renewed = is_being_renewed(subrequest);
  call.came_to_server = came_to_server(*subrequest);
  // What is wrong with the cache's key may be this client's doing.
  call.is_for_all = call.may_be_kept && call.misconfiguration == nullptr && answers_question(subrequest, call);
  if (call.is_for_all) {
    call.cached_until = cached_until(subrequest);
  }
  call.done = true;
  if (!call.is_about_token) {
    count_call(subrequest, call, store_keys(subrequest, call));
  }
  share(call);
  post(subrequest->parent, call);
}

ngx_int_t finish_capture(ngx_http_request_t *subrequest, void *data, ngx_int_t rc) noexcept {
  auto &call = *static_cast<Call *>(data);
  if (is_nginx_business(subrequest, rc)) {
    return rc;
  }
  if (!call.done) {
    complete_call(subrequest, call, rc);
  }
  stop_timeout(call);
  detach(subrequest);
  // Any error would become an error page or the end of the client's request. It is this call's alone.
  return NGX_OK;
}

ngx_int_t capture_header(ngx_http_request_t *subrequest, Call &call) noexcept {
  const ngx_http_headers_out_t &headers = subrequest->headers_out;
  subrequest->header_sent = 1;
  if (call.done) {
    return NGX_HTTP_GATEWAY_TIME_OUT;  // it comes too late
  }
  if (call.misconfiguration == nullptr && !is_redirected(subrequest, call)) {
    call.misconfiguration = find_misconfiguration(subrequest, call);
  }
  // Before the body: with this, nginx keeps nothing under a key that is not safe.
  if (call.misconfiguration != nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  call.response.status = static_cast<unsigned>(headers.status);
  call.response.answered = true;
  call.contact = contact_of_response(*subrequest);
  call.response.content_type = to_view(headers.content_type);
  if (headers.content_encoding != nullptr && headers.content_encoding->hash != 0) {
    call.response.content_encoding = to_view(headers.content_encoding->value);
  }
  call.declared_length = headers.status == NGX_HTTP_NO_CONTENT ? -1 : headers.content_length_n;
  call.response.too_large = call.declared_length > static_cast<off_t>(call.largest_response);

  // An interim response that is the last one would be waited for until the server closes the connection.
  if (headers.status < NGX_HTTP_OK || call.response.too_large || has_broken_length(subrequest)) {
    call.gave_up = true;
    return NGX_HTTP_BAD_GATEWAY;
  }
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  call.server_read =
      upstream == nullptr || upstream->peer.connection == nullptr ? nullptr : upstream->peer.connection->read;
  return NGX_OK;
}

void capture_body(ngx_http_request_t *subrequest, Call &call, ngx_chain_t *in) noexcept {
  for (; in != nullptr; in = in->next) {
    ngx_buf_t *buffer = in->buf;
    append(subrequest, call, *buffer);
    if (buffer->last_in_chain != 0 || buffer->last_buf != 0) {
      call.response.complete = true;
    }
    buffer->pos = buffer->last;
    if (buffer->in_file != 0) {
      buffer->file_pos = buffer->file_last;
    }
  }
}

}  // namespace gateway
