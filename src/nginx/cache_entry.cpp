#include "cache_entry.h"

namespace nginx {
namespace {

#if (NGX_HTTP_CACHE)

/// Whether nginx has put the response into its file: ngx_http_file_cache_update() says so only in the node that all
/// workers share. An entry that could not be renewed keeps its old file, but not that file's inode number.
bool has_been_stored(const ngx_http_cache_t &cache) noexcept {
  if (cache.node == nullptr || cache.updated == 0) {
    return false;
  }
  ngx_shmtx_lock(&cache.file_cache->shpool->mutex);
  const bool stored = cache.node->exists != 0 && cache.node->uniq != 0;
  ngx_shmtx_unlock(&cache.file_cache->shpool->mutex);
  return stored;
}

bool holds_response(const ngx_http_upstream_t &upstream, const ngx_http_cache_t &cache) noexcept {
  switch (upstream.cache_status) {
    case NGX_HTTP_CACHE_HIT:
    case NGX_HTTP_CACHE_REVALIDATED:
      return true;
    case NGX_HTTP_CACHE_MISS:
    case NGX_HTTP_CACHE_EXPIRED:
    case NGX_HTTP_CACHE_BYPASS:
      return upstream.cacheable != 0 && has_been_stored(cache);
    default:
      return false;
  }
}

bool is_stale(ngx_uint_t cache_status) noexcept {
  return cache_status == NGX_HTTP_CACHE_STALE || cache_status == NGX_HTTP_CACHE_UPDATING;
}

#endif

}  // namespace

time_t cached_until(const ngx_http_request_t *subrequest) noexcept {
#if (NGX_HTTP_CACHE)
  const ngx_http_cache_t *cache = subrequest->cache;
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  return cache != nullptr && upstream != nullptr && holds_response(*upstream, *cache) ? cache->valid_sec : 0;
#else
  return 0;
#endif
}

time_t stale_since(const ngx_http_request_t *subrequest) noexcept {
#if (NGX_HTTP_CACHE)
  const ngx_http_cache_t *cache = subrequest->cache;
  if (cache == nullptr || cache->buf == nullptr || !is_stale(subrequest->upstream->cache_status)) {
    return 0;
  }
  // Before ngx_http_upstream_cache() asks the server, it sets valid_sec to 0. The head of the file still has it.
  return reinterpret_cast<const ngx_http_file_cache_header_t *>(cache->buf->start)->valid_sec;
#else
  return 0;
#endif
}

bool is_being_renewed(const ngx_http_request_t *subrequest) noexcept {
#if (NGX_HTTP_CACHE)
  const ngx_http_cache_t *cache = subrequest->cache;
  const ngx_http_upstream_t *upstream = subrequest->upstream;
  if (cache == nullptr || upstream == nullptr || cache->stale_updating == 0) {
    return false;
  }
  // STALE without a background update is what nginx serves where the server could not be reached.
  return upstream->cache_status == NGX_HTTP_CACHE_UPDATING ||
         (upstream->cache_status == NGX_HTTP_CACHE_STALE && cache->background != 0);
#else
  return false;
#endif
}

}  // namespace nginx
