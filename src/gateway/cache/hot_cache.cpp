#include "hot_cache.h"

#include <algorithm>
#include <cstdint>
#include <new>

#include "../../nginx/slab_chunks.h"
#include "../../nginx/strings.h"
#include "../../oauth/token_information_codec.h"
#include "../configuration/pool_memory.h"
#include "hot_cache_zone.h"

namespace gateway {

/// One copy. In its chunks stand the key's parts, the JWT with a NUL behind it, and the packed rest.
struct HotCacheRecord {
  HotCacheRecord *next = nullptr;  ///< in its bucket
  ngx_queue_t by_use = {};
  ngx_uint_t hash = 0;
  time_t expires = 0;   ///< by the wall clock, as `exp` and proxy_cache count
  ngx_msec_t kept = 0;  ///< since when, by the clock that nobody sets
  std::uint32_t token_size = 0;
  std::uint32_t endpoint_size = 0;
  std::uint32_t fingerprint_size = 0;
  std::uint32_t jwt_size = 0;
  std::uint32_t packed_size = 0;
  SlabChunk *chunks = nullptr;
};

namespace {

std::uint32_t size32(std::string_view text) noexcept {
  return static_cast<std::uint32_t>(text.size());
}

std::size_t size_of(const HotCacheRecord &record) noexcept {
  return std::size_t{record.token_size} + record.endpoint_size + record.fingerprint_size +
         size_of_copy(record.jwt_size, record.packed_size);
}

/// @param cursor at the record's begin; behind the key where the result is true.
bool answers(const HotCacheRecord &record, const AnswerKey &key, ChunkCursor &cursor) noexcept {
  return record.hash == key.hash && record.token_size == key.token.size() &&
         record.endpoint_size == key.endpoint.size() && record.fingerprint_size == key.fingerprint.size() &&
         cursor.skip_equal(key.token) && cursor.skip_equal(key.endpoint) && cursor.skip_equal(key.fingerprint);
}

HotCacheRecord *&bucket_of(const HotCacheContent &content, ngx_uint_t hash) noexcept {
  return content.buckets[hash & content.bucket_mask];
}

struct Found {
  HotCacheRecord *record = nullptr;
  ChunkCursor behind_key;
};

Found find(const HotCacheContent &content, const AnswerKey &key) noexcept {
  for (HotCacheRecord *record = bucket_of(content, key.hash); record != nullptr; record = record->next) {
    ChunkCursor cursor(record->chunks, size_of(*record));
    if (answers(*record, key, cursor)) {
      return {record, cursor};
    }
  }
  return {};
}

/// The zone's `valid` is that of the configuration now, which a reload may have changed. A copy may be from the near
/// future: each worker has its own idea of the current millisecond.
bool has_ended(const HotCacheZone &zone, const HotCacheRecord &record) noexcept {
  const auto age = static_cast<ngx_msec_int_t>(ngx_current_msec - record.kept);
  return ngx_time() >= record.expires || age >= static_cast<ngx_msec_int_t>(zone.valid);
}

void remove(const HotCacheZone &zone, HotCacheRecord *record) noexcept {
  HotCacheRecord **link = &bucket_of(zone.content(), record->hash);
  while (*link != record) {
    link = &(*link)->next;
  }
  *link = record->next;
  zone.content().entries--;
  ngx_queue_remove(&record->by_use);
  free_chunks(zone.memory, record->chunks);
  ngx_slab_free_locked(zone.memory, record);
}

/// @return whether there was one to remove.
bool remove_oldest(const HotCacheZone &zone) noexcept {
  ngx_queue_t *by_use = &zone.content().by_use;
  if (ngx_queue_empty(by_use)) {
    return false;
  }
  auto *oldest = ngx_queue_data(ngx_queue_last(by_use), HotCacheRecord, by_use);
  zone.content().evictions += has_ended(zone, *oldest) ? 0 : 1;
  remove(zone, oldest);
  return true;
}

/// @return a record like this one in the zone, with chunks of its own, or nullptr where there is no room.
HotCacheRecord *allocate(const HotCacheZone &zone, const HotCacheRecord &draft) noexcept {
  void *place = ngx_slab_alloc_locked(zone.memory, sizeof(HotCacheRecord));
  SlabChunk *chunks = place == nullptr ? nullptr : allocate_chunks(zone.memory, size_of(draft));
  if (chunks == nullptr) {
    if (place != nullptr) {
      ngx_slab_free_locked(zone.memory, place);
    }
    return nullptr;
  }
  auto *record = new (place) HotCacheRecord(draft);
  record->chunks = chunks;
  return record;
}

HotCacheRecord *make_room(const HotCacheZone &zone, const HotCacheRecord &draft) noexcept {
  HotCacheRecord *record = allocate(zone, draft);
  while (record == nullptr && remove_oldest(zone)) {
    record = allocate(zone, draft);
  }
  return record;
}

/// One large answer must not cost all others their place.
bool is_too_large(const HotCacheZone &zone, const HotCacheRecord &draft) noexcept {
  constexpr std::size_t largest_share = 4;
  return size_of(draft) > static_cast<std::size_t>(zone.memory->end - zone.memory->start) / largest_share;
}

/// The copy's size is not known before the zone's mutex is held, and the record may be gone when it is not: so the
/// memory is taken under it, which is a pointer's move in the pool, or one malloc. Nothing there waits or logs at
/// length.
bool take_out(Found &found, ngx_pool_t *pool, AnswerCopy &copy) noexcept {
  const HotCacheRecord &record = *found.record;
  char *place = allocate_copy(pool, record.jwt_size, record.packed_size, copy);
  if (place == nullptr) {
    return false;
  }
  found.behind_key.read(place, size_of_copy(record.jwt_size, record.packed_size));
  return true;
}

/// @return whether a living copy of the answer is there already, from another request.
bool is_there(const HotCacheZone &zone, const AnswerKey &key) noexcept {
  HotCacheRecord *record = find(zone.content(), key).record;
  if (record != nullptr && has_ended(zone, *record)) {
    remove(zone, record);
    return false;
  }
  return record != nullptr;
}

void insert(const HotCacheZone &zone, HotCacheRecord *record) noexcept {
  HotCacheRecord *&bucket = bucket_of(zone.content(), record->hash);
  record->next = bucket;
  bucket = record;
  ngx_queue_insert_head(&zone.content().by_use, &record->by_use);
  zone.content().entries++;
}

HotCacheRecord draft_record(const AnswerKey &key, std::string_view jwt, std::string_view packed,
                            time_t expires) noexcept {
  HotCacheRecord record;
  record.hash = key.hash;
  record.expires = expires;
  record.kept = ngx_current_msec;
  record.token_size = size32(key.token);
  record.endpoint_size = size32(key.endpoint);
  record.fingerprint_size = size32(key.fingerprint);
  record.jwt_size = size32(jwt);
  record.packed_size = size32(packed);
  return record;
}

}  // namespace

bool find_hot_copy(ngx_shm_zone_t &zone, const AnswerKey &key, ngx_pool_t *pool, AnswerCopy &copy) noexcept {
  const HotCacheZone &ours = hot_cache_of(zone);
  const HotCacheLock lock(zone);
  Found found = lock.is_good() ? find(ours.content(), key) : Found();
  if (found.record == nullptr) {
    return false;
  }
  if (has_ended(ours, *found.record)) {
    remove(ours, found.record);
    return false;
  }
  ngx_queue_remove(&found.record->by_use);
  ngx_queue_insert_head(&ours.content().by_use, &found.record->by_use);
  return take_out(found, pool, copy);
}

void keep_hot_copy(ngx_http_request_t *r, ngx_shm_zone_t &zone, const AnswerKey &key,
                   const oauth::TokenInformation &information, time_t until) noexcept {
  const HotCacheZone &ours = hot_cache_of(zone);
  const auto expires = static_cast<time_t>(std::min<std::int64_t>(until, information.checked_claims.exp));
  const std::string_view jwt = information.jwt.compact;
  PoolMemory memory(r->pool);
  std::string_view packed;
  if (expires <= ngx_time() || !jose::write_text(
                                   memory, [&](jose::Writer &writer) { oauth::pack(writer, information); }, packed)) {
    return;
  }
  const HotCacheRecord draft = draft_record(key, jwt, packed, expires);
  const HotCacheLock lock(zone);
  if (!lock.is_good() || is_too_large(ours, draft) || is_there(ours, key)) {
    return;
  }
  HotCacheRecord *record = make_room(ours, draft);
  if (record == nullptr) {
    return;
  }
  ChunkCursor cursor(record->chunks, size_of(*record));
  constexpr std::string_view terminator("\0", 1);
  for (const std::string_view part : {key.token, key.endpoint, key.fingerprint, jwt, terminator, packed}) {
    cursor.write(part);
  }
  insert(ours, record);
}

}  // namespace gateway
