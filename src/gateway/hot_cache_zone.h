#pragma once

#include "nginx.h"

namespace gateway {

struct HotCacheRecord;

/// What all workers share: copies by the hash of their question, and by when they were last used. No pointers to code:
/// a zone outlives the module's file.
struct HotCacheContent {
  HotCacheRecord **buckets;
  ngx_uint_t bucket_mask;  ///< one less than there are
  ngx_queue_t by_use;      ///< the last used one first
  ngx_uint_t entries;
  ngx_uint_t evictions;  ///< of copies that still lived, since the zone was made
};

/// The data of a zone's ngx_shm_zone_t.
struct HotCacheZone {
  ngx_msec_t valid = 0;  ///< how long a copy lives at most
  ngx_slab_pool_t *memory = nullptr;
  HotCacheContent *content = nullptr;
};

struct HotCacheUse {
  ngx_uint_t entries;    ///< copies, those that have ended and are not yet removed among them
  ngx_uint_t evictions;  ///< copies that had to make room for others while they still lived
  ngx_uint_t bytes;      ///< of the zone's pages that are in use
  ngx_uint_t size;       ///< of the zone in bytes
};

/// @param zone declared by phantom_token_hot_cache.
HotCacheUse use_of(const ngx_shm_zone_t &zone) noexcept;

/// @return whether a line has declared the zone that another one names.
bool is_declared(const ngx_shm_zone_t &zone) noexcept;

}  // namespace gateway
