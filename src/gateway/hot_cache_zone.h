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
};

/// The data of a zone's ngx_shm_zone_t.
struct HotCacheZone {
  ngx_msec_t valid = 0;  ///< how long a copy lives at most
  ngx_slab_pool_t *memory = nullptr;
  HotCacheContent *content = nullptr;
};

/// @return whether a line has declared the zone that another one names.
bool is_declared(const ngx_shm_zone_t &zone) noexcept;

}  // namespace gateway
