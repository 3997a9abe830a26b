#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

namespace gateway {

/// What an entry is found by. The value and the issuer are SHA-256 digests, so that every entry has one size, and no
/// name of a user lies in the memory or in a file. Their computation costs more than all the rest of a lookup: so an
/// entry is looked for by a quick hash of the value, and the digests are compared where there is one with that hash.
struct RevocationKey {
  static constexpr std::size_t digest_size = 32;

  std::uint32_t kind = 0;  ///< less than RevocationTable::most_kinds
  std::uint32_t hash = 0;  ///< of the value
  unsigned char value[digest_size] = {};
  unsigned char issuer[digest_size] = {};  ///< all zero: any
};

/// @return whether the entry is for tokens of any issuer.
bool is_for_any_issuer(const RevocationKey &key) noexcept;

struct RevocationRecord {
  RevocationKey key;
  std::time_t end = 0;      ///< when it may be forgotten, in seconds since the epoch
  std::int64_t before = 0;  ///< tokens whose `iat` is later are others
};

/// A moment, by two clocks.
struct RevocationTime {
  std::time_t wall = 0;    ///< seconds since the epoch: what dates are compared with
  std::time_t steady = 0;  ///< seconds of the clock that nobody sets
};

/// A record as it lies in the table. An index of 0 is none.
struct RevocationEntry {
  RevocationRecord record;
  std::time_t steady_end = 0;  ///< it has ended when both clocks say so: none is lost where the clock is set forward
  std::uint32_t next = 0;      ///< in its bucket, or in the list of the free ones
};

/// What is revoked, as a table in a piece of memory that all workers share. Whoever calls has the lock, unless a
/// function says otherwise.
///
/// A worker can be killed at any instruction, and nothing may be lost then. So the memory is laid out once, and every
/// change becomes visible by the store of one word: an entry is complete before it is linked, and is unlinked before it
/// is used anew. What a killed worker leaves behind are entries that are neither linked nor free, and wrong counters;
/// repair_revocation_table() finds the ones and corrects the others.
struct RevocationTable {
  static constexpr std::uint32_t most_kinds = 8;

  std::uint64_t layout;       ///< revocation_table_layout, last of all that is written
  std::uint32_t bucket_mask;  ///< one less than there are
  std::uint32_t capacity;     ///< entries
  std::uint32_t unused;       ///< entries from this index on have never been used
  std::uint32_t free;         ///< list of those that have been used
  std::uint32_t sweep;        ///< the bucket where the next search for ended entries begins
  std::uint32_t in_use;       ///< a worker is at it, or has ended there
  std::time_t closed;         ///< when a reload took its records into another zone, by the clock that nobody sets; or 0
  std::uint32_t counts[most_kinds];
  std::time_t swept;          ///< when, by the clock that nobody sets
  std::uint64_t file_device;  ///< the state file that has been read,
  std::uint64_t file_inode;   ///< and how far
  std::int64_t file_offset;
};

/// Changes with the layout: a zone outlives the module that has made it.
constexpr std::uint64_t revocation_table_layout = 0x5054524556303032;  // "PTREV002"

/// @param place aligned for any type.
/// @return the table at that place, empty; nullptr where there is no room for a single entry.
RevocationTable *make_revocation_table(void *place, std::size_t size) noexcept;

/// @return the entry of this key that has not ended, or nullptr.
const RevocationEntry *find_revocation(RevocationTable &table, const RevocationKey &key, RevocationTime now) noexcept;

/// @return false where there is no entry of that kind and hash. Without the lock: what is being added meanwhile may be
///   found or not.
bool may_have_revocation(const RevocationTable &table, std::uint32_t kind, std::uint32_t hash) noexcept;

/// Calls `matches` with the record of each living entry of that kind and hash.
/// @return whether one of them matches.
template <typename Matches>
bool has_revocation(const RevocationTable &table, std::uint32_t kind, std::uint32_t hash, RevocationTime now,
                    Matches matches) noexcept;

/// Calls `visit` with each living record.
template <typename Visit>
void for_each_revocation(const RevocationTable &table, RevocationTime now, Visit visit) noexcept;

enum class Added : std::uint8_t {
  added,
  renewed,  ///< the key was there; its end and `before` are now the later ones
  full,     ///< no entry has ended: nothing is changed
};

/// @return whether there is room for so many new entries; what has ended makes room.
bool make_room_for(RevocationTable &table, std::size_t count, RevocationTime now) noexcept;

/// @param now an entry whose end has come makes room. The record's end is by its wall clock.
Added add_revocation(RevocationTable &table, const RevocationRecord &record, RevocationTime now) noexcept;

/// Removes some of what has ended, so that a table that is not written to becomes empty in the end.
void sweep_revocation_table(RevocationTable &table, RevocationTime now) noexcept;

/// Corrects what a killed worker has left.
void repair_revocation_table(RevocationTable &table) noexcept;

// Only for the templates above.

const RevocationEntry *first_revocation(const RevocationTable &table, std::uint32_t bucket) noexcept;
const RevocationEntry *next_revocation(const RevocationTable &table, const RevocationEntry &entry) noexcept;
std::uint32_t revocation_bucket(const RevocationTable &table, std::uint32_t kind, std::uint32_t hash) noexcept;
bool has_ended(const RevocationEntry &entry, RevocationTime now) noexcept;

template <typename Matches>
bool has_revocation(const RevocationTable &table, std::uint32_t kind, std::uint32_t hash, RevocationTime now,
                    Matches matches) noexcept {
  const RevocationEntry *entry = first_revocation(table, revocation_bucket(table, kind, hash));
  while (entry != nullptr) {
    const RevocationKey &key = entry->record.key;
    if (key.hash == hash && key.kind == kind && !has_ended(*entry, now) && matches(entry->record)) {
      return true;
    }
    entry = next_revocation(table, *entry);
  }
  return false;
}

template <typename Visit>
void for_each_revocation(const RevocationTable &table, RevocationTime now, Visit visit) noexcept {
  for (std::uint32_t bucket = 0; bucket <= table.bucket_mask; ++bucket) {
    for (const RevocationEntry *entry = first_revocation(table, bucket); entry != nullptr;
         entry = next_revocation(table, *entry)) {
      if (!has_ended(*entry, now)) {
        visit(entry->record);
      }
    }
  }
}

}  // namespace gateway
