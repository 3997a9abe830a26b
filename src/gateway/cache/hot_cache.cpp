#include "hot_cache.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>

#include "../../nginx/slab_chunks.h"
#include "../../nginx/strings.h"
#include "../../oauth/token_information_codec.h"
#include "../configuration/pool_memory.h"
#include "hot_cache_zone.h"

namespace gateway {

/// One copy. In its chunks stand the key's parts, and what CopySizes says.
struct HotCacheRecord {
  HotCacheRecord *next = nullptr;  ///< in its bucket
  ngx_queue_t by_use = {};
  ngx_uint_t hash = 0;
  time_t expires = 0;     ///< by the wall clock, as `exp` and proxy_cache count
  ngx_msec_t kept = 0;    ///< since when, by the clock that nobody sets
  time_t signed_exp = 0;  ///< of the JWT that the gateway has signed
  std::uint32_t token_size = 0;
  std::uint32_t endpoint_size = 0;
  std::uint32_t fingerprint_size = 0;
  std::uint32_t signing_size = 0;
  std::uint32_t signed_size = 0;
  std::uint32_t jwt_size = 0;
  std::uint32_t packed_size = 0;
  SlabChunk *chunks = nullptr;
};

namespace {

std::uint32_t size32(std::string_view text) noexcept {
  return static_cast<std::uint32_t>(text.size());
}

CopySizes sizes_of(const HotCacheRecord &record) noexcept {
  return {record.signed_size, record.jwt_size, record.packed_size};
}

std::size_t size_of(const HotCacheRecord &record) noexcept {
  return std::size_t{record.token_size} + record.endpoint_size + record.fingerprint_size + record.signing_size +
         sizes_of(record).total();
}

/// @param cursor at the record's begin; behind these parts of the key where the result is true.
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
  bool is_signed_so = false;  ///< as the key says
};

/// @param cursor behind the other parts of the key.
Found compare_signing(HotCacheRecord &record, std::string_view signing, ChunkCursor cursor) noexcept {
  ChunkCursor behind_key = cursor;
  behind_key.skip(record.signing_size);
  return {&record, behind_key, record.signing_size == signing.size() && cursor.skip_equal(signing)};
}

/// @return the copy that has been signed as the key says, else any other of the same answer.
Found find(const HotCacheContent &content, const CopyKey &key) noexcept {
  Found other;
  for (HotCacheRecord *record = bucket_of(content, key.answer.hash); record != nullptr; record = record->next) {
    ChunkCursor cursor(record->chunks, size_of(*record));
    if (!answers(*record, key.answer, cursor)) {
      continue;
    }
    other = compare_signing(*record, key.signing, cursor);
    if (other.is_signed_so) {
      return other;
    }
  }
  return other;
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

/// @return one that lives. Those that are found to have ended are removed.
Found find_living(const HotCacheZone &zone, const CopyKey &key) noexcept {
  Found found = find(zone.content(), key);
  while (found.record != nullptr && has_ended(zone, *found.record)) {
    remove(zone, found.record);
    found = find(zone.content(), key);
  }
  return found;
}

/// The copy's size is not known before the zone's mutex is held, and the record may be gone when it is not: so the
/// memory is taken under it, which is a pointer's move in the pool, or one malloc. Nothing there waits or logs at
/// length.
bool take_out(Found &found, std::string_view signing, ngx_pool_t *pool, HotCopy &copy) noexcept {
  const HotCacheRecord &record = *found.record;
  const CopySizes sizes = sizes_of(record);
  char *place = allocate_copy(pool, sizes, copy.answer);
  if (place == nullptr) {
    return false;
  }
  found.behind_key.read(place, sizes.total());
  copy.life = {record.expires, record.kept};
  copy.signed_authorization = {};
  if (record.signed_size != 0) {
    // What has been signed is for whoever signs alike, and nobody else forwards it.
    const std::string_view value = std::exchange(copy.answer.authorization, {});
    copy.signed_authorization =
        found.is_signed_so ? SignedAuthorization{value, signing, record.signed_exp} : SignedAuthorization{};
  }
  return true;
}

/// @return whether a living copy is there already, from another request. One whose JWT has ended is removed.
bool is_there(const HotCacheZone &zone, const CopyKey &key) noexcept {
  const Found found = find_living(zone, key);
  if (found.record == nullptr || !found.is_signed_so) {
    return false;
  }
  const bool is_usable = key.signing.empty() || ngx_time() < found.record->signed_exp;
  if (!is_usable) {
    remove(zone, found.record);
  }
  return is_usable;
}

void insert(const HotCacheZone &zone, HotCacheRecord *record) noexcept {
  HotCacheRecord *&bucket = bucket_of(zone.content(), record->hash);
  record->next = bucket;
  bucket = record;
  ngx_queue_insert_head(&zone.content().by_use, &record->by_use);
  zone.content().entries++;
}

std::string_view signed_jwt_of(const CopyKey &key, const InterpretedAnswer &answer) noexcept {
  return key.signing.empty() ? std::string_view()
                             : answer.signed_authorization.value.substr(oauth::bearer_scheme.size());
}

/// What a record is made of, in the order of its bytes.
struct Draft {
  HotCacheRecord record;
  std::string_view parts[8];
};

Draft draft_copy(const CopyKey &key, const InterpretedAnswer &answer, std::string_view packed) noexcept {
  const std::string_view signed_jwt = signed_jwt_of(key, answer);
  const std::string_view jwt = answer.information.jwt.compact;
  constexpr std::string_view terminator("\0", 1);
  Draft draft = {{},
                 {key.answer.token, key.answer.endpoint, key.answer.fingerprint, key.signing,
                  signed_jwt.empty() ? jwt : signed_jwt, terminator, signed_jwt.empty() ? signed_jwt : jwt, packed}};
  draft.record.hash = key.answer.hash;
  draft.record.signed_exp = answer.signed_authorization.exp;
  draft.record.token_size = size32(key.answer.token);
  draft.record.endpoint_size = size32(key.answer.endpoint);
  draft.record.fingerprint_size = size32(key.answer.fingerprint);
  draft.record.signing_size = size32(key.signing);
  draft.record.signed_size = size32(signed_jwt);
  draft.record.jwt_size = size32(jwt);
  draft.record.packed_size = size32(packed);
  return draft;
}

}  // namespace

bool find_hot_copy(ngx_shm_zone_t &zone, const CopyKey &key, ngx_pool_t *pool, HotCopy &copy) noexcept {
  const HotCacheZone &ours = hot_cache_of(zone);
  const HotCacheLock lock(zone);
  Found found = lock.is_good() ? find_living(ours, key) : Found();
  if (found.record == nullptr) {
    return false;
  }
  ngx_queue_remove(&found.record->by_use);
  ngx_queue_insert_head(&ours.content().by_use, &found.record->by_use);
  return take_out(found, key.signing, pool, copy);
}

void keep_hot_copy(ngx_http_request_t *r, ngx_shm_zone_t &zone, const CopyKey &key, const InterpretedAnswer &answer,
                   const CopyLife &life) noexcept {
  const HotCacheZone &ours = hot_cache_of(zone);
  const oauth::TokenInformation &information = answer.information;
  const auto expires = static_cast<time_t>(std::min<std::int64_t>(life.until, information.checked_claims.exp));
  PoolMemory memory(r->pool);
  std::string_view packed;
  if (expires <= ngx_time() || !jose::write_text(
                                   memory, [&](jose::Writer &writer) { oauth::pack(writer, information); }, packed)) {
    return;
  }
  Draft draft = draft_copy(key, answer, packed);
  draft.record.expires = expires;
  draft.record.kept = life.since;
  const HotCacheLock lock(zone);
  if (!lock.is_good() || is_too_large(ours, draft.record) || is_there(ours, key)) {
    return;
  }
  HotCacheRecord *record = make_room(ours, draft.record);
  if (record == nullptr) {
    return;
  }
  ChunkCursor cursor(record->chunks, size_of(*record));
  for (const std::string_view part : draft.parts) {
    cursor.write(part);
  }
  insert(ours, record);
}

void drop_hot_copies(ngx_shm_zone_t &zone, const AnswerKey &key) noexcept {
  const HotCacheZone &ours = hot_cache_of(zone);
  const HotCacheLock lock(zone);
  Found found = lock.is_good() ? find(ours.content(), {key, {}}) : Found();
  while (found.record != nullptr) {
    remove(ours, found.record);
    found = find(ours.content(), {key, {}});
  }
}

}  // namespace gateway
