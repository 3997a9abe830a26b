#pragma once

#include "../configuration/module_configuration.h"
#include "../configuration/zones.h"

namespace gateway {

struct HotCacheRecord;

/// What all workers share: copies by the hash of their key, and by when they were last used. No pointers to code:
/// a zone outlives the module's file.
struct HotCacheContent {
  HotCacheRecord **buckets;
  ngx_uint_t bucket_mask;  ///< one less than there are
  ngx_queue_t by_use;      ///< the last used one first
  ngx_uint_t entries;
  ngx_uint_t evictions;  ///< of copies that still lived, since the zone was made or emptied
  ngx_uint_t in_use;     ///< a worker is at it, or has ended there: see HotCacheLock
};

/// The data of a zone's ngx_shm_zone_t.
struct HotCacheZone : DeclaredZone {
  HotCacheZone() noexcept : DeclaredZone{ZoneKind::hot_cache} {}

  ngx_msec_t valid = 0;  ///< how long a copy lives at most
  ngx_slab_pool_t *memory = nullptr;

  /// To be called by who has the lock: emptying the zone makes another one.
  HotCacheContent &content() const noexcept { return *static_cast<HotCacheContent *>(memory->data); }
};

/// The zone's mutex, held as long as this lives. A worker that is killed within leaves the lists half changed; the
/// master then frees the mutex by force (ngx_unlock_mutexes). Who takes it next finds the mark, and empties the zone.
class HotCacheLock {
 public:
  explicit HotCacheLock(const ngx_shm_zone_t &zone) noexcept;
  ~HotCacheLock();
  HotCacheLock(const HotCacheLock &) = delete;
  HotCacheLock &operator=(const HotCacheLock &) = delete;
  HotCacheLock(HotCacheLock &&) = delete;
  HotCacheLock &operator=(HotCacheLock &&) = delete;

  /// @return whether there is a content: false only where the zone had to be made anew and that failed.
  bool is_good() const noexcept { return memory_->data != nullptr; }

 private:
  ngx_slab_pool_t *memory_;
};

inline const HotCacheZone &hot_cache_of(const ngx_shm_zone_t &zone) noexcept {
  return *static_cast<const HotCacheZone *>(zone.data);
}

struct HotCacheUse {
  ngx_uint_t entries;    ///< copies, those that have ended and are not yet removed among them
  ngx_uint_t evictions;  ///< copies that had to make room for others while they still lived
  ngx_uint_t bytes;      ///< of the zone's pages that are in use
  ngx_uint_t size;       ///< of the zone in bytes
};

/// @param zone declared by phantom_token_hot_cache.
HotCacheUse use_of(const ngx_shm_zone_t &zone) noexcept;

}  // namespace gateway
