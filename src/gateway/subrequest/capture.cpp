#include "capture.h"

#include <algorithm>

#include "../../nginx/strings.h"
#include "misconfiguration.h"

namespace gateway {
namespace {

constexpr std::size_t first_capacity = 4096;

/// Makes room for more bytes and the terminator that the JSON reader wants behind them.
bool reserve(ngx_pool_t *pool, AsRequest &request, std::size_t more) noexcept {
  CapturedResponse &captured = request.captured;
  oauth::Response &response = captured.response;
  const std::size_t needed = response.body_size + more;
  if (response.body != nullptr && needed <= captured.body_capacity) {
    return true;
  }
  std::size_t capacity = std::max({needed, 2 * captured.body_capacity, first_capacity});
  capacity = std::max(needed, std::min(capacity, request.asked.max_response_size));
  auto *body = static_cast<char *>(ngx_pnalloc(pool, capacity + 1));
  if (body == nullptr) {
    return false;
  }
  if (response.body != nullptr) {
    ngx_memcpy(body, response.body, response.body_size);
    (void)ngx_pfree(pool, response.body);
  }
  response.body = body;
  captured.body_capacity = capacity;
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

void append(ngx_http_request_t *subrequest, AsRequest &request, const ngx_buf_t &buffer) noexcept {
  CapturedResponse &captured = request.captured;
  oauth::Response &response = captured.response;
  const auto size = static_cast<std::size_t>(ngx_buf_size(&buffer));
  const bool is_over = request.running.has_ended() || response.too_large || captured.fault == CaptureFault::no_memory;
  if (size == 0 || is_over) {
    return;
  }
  if (size > request.asked.max_response_size - response.body_size) {
    response.too_large = true;
    cut_off(subrequest);
    return;
  }
  // The copy filter has read files into memory, as the subrequest asked it to.
  if (!ngx_buf_in_memory(&buffer) || !reserve(subrequest->pool, request, size)) {
    captured.fault = CaptureFault::no_memory;
    cut_off(subrequest);
    return;
  }
  ngx_memcpy(response.body + response.body_size, buffer.pos, size);
  response.body_size += size;
}

/// nginx reads a response whose Content-Length is no number to its end, as if it had none.
bool has_broken_length(const ngx_http_request_t *subrequest) noexcept {
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  return upstream != nullptr && upstream->headers_in.content_length != nullptr &&
         upstream->headers_in.content_length_n < 0 && upstream->headers_in.chunked == 0;
}

void note_header(const ngx_http_request_t *subrequest, AsRequest &request) noexcept {
  const ngx_http_headers_out_t &headers = subrequest->headers_out;
  CapturedResponse &captured = request.captured;
  captured.response.status = static_cast<unsigned>(headers.status);
  captured.response.answered = true;
  captured.contact = contact_of_response(*subrequest);
  captured.response.content_type = to_view(headers.content_type);
  if (headers.content_encoding != nullptr && headers.content_encoding->hash != 0) {
    captured.response.content_encoding = to_view(headers.content_encoding->value);
  }
  captured.declared_length = headers.status == NGX_HTTP_NO_CONTENT ? -1 : headers.content_length_n;
  captured.response.too_large = captured.declared_length > static_cast<off_t>(request.asked.max_response_size);
}

}  // namespace

ngx_int_t capture_header(ngx_http_request_t *subrequest, AsRequest &request) noexcept {
  CapturedResponse &captured = request.captured;
  subrequest->header_sent = 1;
  if (request.running.has_ended()) {
    return NGX_HTTP_GATEWAY_TIME_OUT;  // it comes too late
  }
  if (captured.misconfiguration == nullptr && !is_redirected(subrequest, request)) {
    captured.misconfiguration = find_misconfiguration(subrequest, request);
  }
  // Before the body: with this, nginx keeps nothing under a key that is not safe.
  if (captured.misconfiguration != nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  note_header(subrequest, request);
  // An interim response that is the last one would be waited for until the server closes the connection.
  if (captured.response.status < NGX_HTTP_OK || captured.response.too_large || has_broken_length(subrequest)) {
    captured.fault = CaptureFault::given_up;
    return NGX_HTTP_BAD_GATEWAY;
  }
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  request.running.server_read =
      upstream == nullptr || upstream->peer.connection == nullptr ? nullptr : upstream->peer.connection->read;
  return NGX_OK;
}

void capture_body(ngx_http_request_t *subrequest, AsRequest &request, ngx_chain_t *in) noexcept {
  for (; in != nullptr; in = in->next) {
    ngx_buf_t *buffer = in->buf;
    append(subrequest, request, *buffer);
    if (buffer->last_in_chain != 0 || buffer->last_buf != 0) {
      request.captured.response.complete = true;
    }
    buffer->pos = buffer->last;
    if (buffer->in_file != 0) {
      buffer->file_pos = buffer->file_last;
    }
  }
}

}  // namespace gateway
