#include "request_body.h"

#include "strings.h"

namespace nginx {
namespace {

/// @return where the bytes end, or nullptr.
u_char *copy_buffer(const ngx_buf_t &buffer, u_char *place) noexcept {
  if (!ngx_buf_in_memory(&buffer) && buffer.in_file != 0) {
    const auto size = static_cast<size_t>(buffer.file_last - buffer.file_pos);
    const ssize_t read = ngx_read_file(buffer.file, place, size, buffer.file_pos);
    return read == static_cast<ssize_t>(size) ? place + size : nullptr;
  }
  return ngx_cpymem(place, buffer.pos, static_cast<size_t>(buffer.last - buffer.pos));
}

}  // namespace

std::size_t body_size(const ngx_http_request_t *r) noexcept {
  std::size_t size = 0;
  const ngx_chain_t *link = r->request_body == nullptr ? nullptr : r->request_body->bufs;
  for (; link != nullptr; link = link->next) {
    size += static_cast<std::size_t>(ngx_buf_size(link->buf));
  }
  return size;
}

bool collect_body(ngx_http_request_t *r, std::string_view &body) noexcept {
  const std::size_t size = body_size(r);
  auto *place = static_cast<u_char *>(ngx_pnalloc(r->pool, size + 1));
  u_char *end = place;
  const ngx_chain_t *link = r->request_body == nullptr ? nullptr : r->request_body->bufs;
  for (; end != nullptr && link != nullptr; link = link->next) {
    end = ngx_buf_size(link->buf) == 0 ? end : copy_buffer(*link->buf, end);
  }
  body = to_view({size, place});
  return end != nullptr;
}

}  // namespace nginx
