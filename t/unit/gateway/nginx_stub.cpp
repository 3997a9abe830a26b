#include "nginx_stub.h"

#include <strings.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>

#include "gateway/gateway.h"

namespace nginx_stub {
namespace {

std::size_t heap_allocations_left = SIZE_MAX;

/// nginx's formats, of which the units use `%ui` alone.
std::string format(std::string_view text, std::va_list arguments) {
  constexpr std::string_view number = "%ui";
  std::string formatted;
  while (!text.empty()) {
    if (text.substr(0, number.size()) == number) {
      formatted += std::to_string(va_arg(arguments, ngx_uint_t));
      text.remove_prefix(number.size());
    } else if (text.front() == '%') {
      std::abort();
    } else {
      formatted += text.front();
      text.remove_prefix(1);
    }
  }
  return formatted;
}

}  // namespace

void *Zone::allocate(std::size_t size) {
  if (sizes_.size() == allowed_ || size > ngx_pagesize) {
    return nullptr;
  }
  sizes_.push_back(size);
  std::unique_ptr<char[]> chunk(new char[size]);
  std::memset(chunk.get(), 0xA5, size);
  void *place = chunk.get();
  chunks_.emplace(place, std::move(chunk));
  return place;
}

void Zone::free(void *chunk) {
  if (chunks_.erase(chunk) == 0) {
    std::abort();
  }
}

void allow_heap_allocations(std::size_t count) noexcept {
  heap_allocations_left = count;
}

}  // namespace nginx_stub

extern "C" {

ngx_uint_t ngx_pagesize = 4096;

static ngx_time_t second_1000 = {1000, 0, 0};
volatile ngx_time_t *ngx_cached_time = &second_1000;

ngx_module_t ngx_http_core_module = {};
ngx_module_t ngx_http_phantom_token_module = [] {
  ngx_module_t module = {};
  module.ctx_index = 1;
  return module;
}();

ngx_http_header_t ngx_http_headers_in[] = {
    {ngx_string("Host"), offsetof(ngx_http_headers_in_t, host), nullptr},
    {ngx_string("Authorization"), offsetof(ngx_http_headers_in_t, authorization), nullptr},
#if (nginx_version >= 1023000)
    {ngx_string("Cookie"), offsetof(ngx_http_headers_in_t, cookie), nullptr},
#else
    {ngx_string("Cookie"), offsetof(ngx_http_headers_in_t, cookies), nullptr},
#endif
    {ngx_string("X-Without-Field"), 0, nullptr},
    {ngx_null_string, 0, nullptr},
};

void *ngx_palloc(ngx_pool_t *pool, size_t size) {
  return static_cast<nginx_stub::Pool *>(pool)->memory.allocate(size);
}

void *ngx_pnalloc(ngx_pool_t *pool, size_t size) {
  return ngx_palloc(pool, size);
}

void *ngx_alloc(size_t size, ngx_log_t * /*log*/) {
  if (nginx_stub::heap_allocations_left == 0) {
    return nullptr;
  }
  nginx_stub::heap_allocations_left--;
  void *place = std::malloc(size);
  return place == nullptr ? nullptr : std::memset(place, 0xA5, size);
}

void *ngx_calloc(size_t size, ngx_log_t *log) {
  void *place = ngx_alloc(size, log);
  return place == nullptr ? nullptr : std::memset(place, 0, size);
}

void *ngx_slab_alloc_locked(ngx_slab_pool_t *pool, size_t size) {
  return static_cast<nginx_stub::Zone *>(pool)->allocate(size);
}

void ngx_slab_free_locked(ngx_slab_pool_t *pool, void *chunk) {
  static_cast<nginx_stub::Zone *>(pool)->free(chunk);
}

/// Texts of one length share a hash, so that a test can have equal hashes of different texts.
uint32_t ngx_murmur_hash2(u_char * /*data*/, size_t len) {
  return static_cast<uint32_t>(len);
}

ngx_int_t ngx_strncasecmp(u_char *s1, u_char *s2, size_t n) {
  return strncasecmp(reinterpret_cast<const char *>(s1), reinterpret_cast<const char *>(s2), n);
}

u_char *ngx_sprintf(u_char *buf, const char *fmt, ...) {
  std::va_list arguments;
  va_start(arguments, fmt);
  const std::string text = nginx_stub::format(fmt, arguments);
  va_end(arguments);
  return buf + text.copy(reinterpret_cast<char *>(buf), text.size());
}

u_char *ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...) {
  std::va_list arguments;
  va_start(arguments, fmt);
  const std::string text = nginx_stub::format(fmt, arguments);
  va_end(arguments);
  return buf + text.copy(reinterpret_cast<char *>(buf), max);
}
}
