#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

namespace gateway {

/// What an entry is found by. The value and the issuer are SHA-256 digests, so that every entry has one size, and no
/// name of a user lies in the memory or in a file. Their computation costs more than all the rest of a lookup: so an
/// entry is looked for by a quick hash of the value, and the digests are compared where there is one with that hash.
struct ExpiringKey {
  static constexpr std::size_t digest_size = 32;

  std::uint32_t kind = 0;  ///< less than ExpiringTable::most_kinds
  std::uint32_t hash = 0;  ///< of the value
  unsigned char value[digest_size] = {};
  unsigned char issuer[digest_size] = {};  ///< all zero: any, or none is needed
};

/// @return whether the entry is for tokens of any issuer.
bool is_for_any_issuer(const ExpiringKey &key) noexcept;

struct ExpiringRecord {
  ExpiringKey key;
  std::time_t end = 0;      ///< when it may be forgotten, in seconds since the epoch
  std::int64_t before = 0;  ///< of a revocation: tokens whose `iat` is later are others
};

/// A moment, by two clocks.
struct Moment {
  std::time_t wall = 0;    ///< seconds since the epoch: what dates are compared with
  std::time_t steady = 0;  ///< seconds of the clock that nobody sets
};

/// A record as it lies in the table. An index of 0 is none.
struct ExpiringEntry {
  ExpiringRecord record;
  std::time_t steady_end = 0;  ///< it has ended when both clocks say so: none is lost where the clock is set forward
  std::uint32_t next = 0;      ///< in its bucket, or in the list of the free ones
};

/// What has been revoked, or which proofs have been used, as a table in a piece of memory that all workers share.
/// Whoever calls has the lock, unless a function says otherwise.
///
/// A worker can be killed at any instruction, and nothing may be lost then. So the memory is laid out once, and every
/// change becomes visible by the store of one word: an entry is complete before it is linked, and is unlinked before it
/// is used anew. What a killed worker leaves behind are entries that are neither linked nor free, and wrong counters;
/// repair_expiring_table() finds the ones and corrects the others.
struct ExpiringTable {
  static constexpr std::uint32_t most_kinds = 8;

  std::uint64_t layout;       ///< expiring_table_layout, last of all that is written
  std::uint32_t bucket_mask;  ///< one less than there are
  std::uint32_t capacity;     ///< entries
  std::uint32_t unused;       ///< entries from this index on have never been used
  std::uint32_t free;         ///< list of those that have been used
  std::uint32_t sweep;        ///< the bucket where the next search for ended entries begins
  std::uint32_t in_use;       ///< a worker is at it, or has ended there
  std::time_t closed;         ///< when a reload took its records into another zone, by the clock that nobody sets; or 0
  std::uint32_t counts[most_kinds];
  std::time_t swept;          ///< when, by the clock that nobody sets
  std::uint64_t file_device;  ///< of revocations: the state file that has been read,
  std::uint64_t file_inode;   ///< and how far
  std::int64_t file_offset;
  std::time_t grace;              ///< of used proofs: seconds that a record stays after its end
  std::int64_t forgotten_before;  ///< of used proofs: those made before this time may be forgotten,
  std::time_t forgotten_until;    ///< which matters until then, by the clock that nobody sets
};

/// Changes with the layout: a zone outlives the module that has made it.
constexpr std::uint64_t expiring_table_layout = 0x5054524556303033;  // "PTREV003"

/// @param place aligned for any type.
/// @return the table at that place, empty; nullptr where there is no room for a single entry.
ExpiringTable *make_expiring_table(void *place, std::size_t size) noexcept;

/// @return the entry of this key that has not ended, or nullptr.
const ExpiringEntry *find_record(ExpiringTable &table, const ExpiringKey &key, Moment now) noexcept;

/// @return false where there is no entry of that kind and hash. Without the lock: what is being added meanwhile may be
///   found or not.
bool may_have_record(const ExpiringTable &table, std::uint32_t kind, std::uint32_t hash) noexcept;

/// Calls `matches` with the record of each living entry of that kind and hash.
/// @return whether one of them matches.
template <typename Matches>
bool has_record(const ExpiringTable &table, std::uint32_t kind, std::uint32_t hash, Moment now,
                Matches matches) noexcept;

/// Calls `visit` with each living record.
template <typename Visit>
void for_each_record(const ExpiringTable &table, Moment now, Visit visit) noexcept;

enum class Added : std::uint8_t {
  added,
  renewed,  ///< the key was there; its end and `before` are now the later ones
  full,     ///< no entry has ended: nothing is changed
};

/// @return whether there is room for so many new entries; what has ended makes room.
bool make_room_for(ExpiringTable &table, std::size_t count, Moment now) noexcept;

/// @param now an entry whose end has come makes room. The record's end is by its wall clock.
Added add_record(ExpiringTable &table, const ExpiringRecord &record, Moment now) noexcept;

/// Removes some of what has ended, so that a table that is not written to becomes empty in the end.
void sweep_expiring_table(ExpiringTable &table, Moment now) noexcept;

/// Corrects what a killed worker has left.
void repair_expiring_table(ExpiringTable &table) noexcept;

// Only for the templates above.

const ExpiringEntry *first_record(const ExpiringTable &table, std::uint32_t bucket) noexcept;
const ExpiringEntry *next_record(const ExpiringTable &table, const ExpiringEntry &entry) noexcept;
std::uint32_t bucket_of_hash(const ExpiringTable &table, std::uint32_t kind, std::uint32_t hash) noexcept;
bool has_ended(const ExpiringEntry &entry, Moment now) noexcept;

template <typename Matches>
bool has_record(const ExpiringTable &table, std::uint32_t kind, std::uint32_t hash, Moment now,
                Matches matches) noexcept {
  const ExpiringEntry *entry = first_record(table, bucket_of_hash(table, kind, hash));
  while (entry != nullptr) {
    const ExpiringKey &key = entry->record.key;
    if (key.hash == hash && key.kind == kind && !has_ended(*entry, now) && matches(entry->record)) {
      return true;
    }
    entry = next_record(table, *entry);
  }
  return false;
}

template <typename Visit>
void for_each_record(const ExpiringTable &table, Moment now, Visit visit) noexcept {
  for (std::uint32_t bucket = 0; bucket <= table.bucket_mask; ++bucket) {
    for (const ExpiringEntry *entry = first_record(table, bucket); entry != nullptr;
         entry = next_record(table, *entry)) {
      if (!has_ended(*entry, now)) {
        visit(entry->record);
      }
    }
  }
}

}  // namespace gateway
