#include "expiring_table.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

#include "keep_order.h"

namespace gateway {
namespace {

/// Behind the table lie the buckets, indices of their first entries, and behind these the entries, from index 1 on.
std::uint32_t *buckets_of(ExpiringTable &table) noexcept {
  return reinterpret_cast<std::uint32_t *>(&table + 1);
}

const std::uint32_t *buckets_of(const ExpiringTable &table) noexcept {
  return reinterpret_cast<const std::uint32_t *>(&table + 1);
}

const ExpiringEntry &entry_at(const ExpiringTable &table, std::uint32_t index) noexcept {
  const auto *entries = reinterpret_cast<const ExpiringEntry *>(buckets_of(table) + table.bucket_mask + 1);
  return entries[index - 1];
}

ExpiringEntry &entry_at(ExpiringTable &table, std::uint32_t index) noexcept {
  auto *entries = reinterpret_cast<ExpiringEntry *>(buckets_of(table) + table.bucket_mask + 1);
  return entries[index - 1];
}

std::uint32_t &bucket_of(ExpiringTable &table, const ExpiringKey &key) noexcept {
  return buckets_of(table)[bucket_of_hash(table, key.kind, key.hash)];
}

bool is_equal(const ExpiringKey &one, const ExpiringKey &other) noexcept {
  return one.kind == other.kind && one.hash == other.hash &&
         std::memcmp(one.value, other.value, sizeof(one.value)) == 0 &&
         std::memcmp(one.issuer, other.issuer, sizeof(one.issuer)) == 0;
}

/// @return the entry of this key, whether or not it has ended, or nullptr.
ExpiringEntry *find_entry(ExpiringTable &table, const ExpiringKey &key) noexcept {
  for (std::uint32_t index = bucket_of(table, key); index != 0; index = entry_at(table, index).next) {
    ExpiringEntry &entry = entry_at(table, index);
    if (is_equal(entry.record.key, key)) {
      return &entry;
    }
  }
  return nullptr;
}

void put_into_free_list(ExpiringTable &table, std::uint32_t index) noexcept {
  entry_at(table, index).next = table.free;
  keep_order();
  table.free = index;
}

/// @param link the index that leads to the entry.
void unlink(ExpiringTable &table, std::uint32_t &link) noexcept {
  const std::uint32_t index = link;
  const ExpiringEntry &entry = entry_at(table, index);
  link = entry.next;
  keep_order();
  table.counts[entry.record.key.kind]--;
  put_into_free_list(table, index);
}

/// Unlinks what has ended in one bucket.
void sweep_bucket(ExpiringTable &table, std::uint32_t bucket, Moment now) noexcept {
  std::uint32_t *link = buckets_of(table) + bucket;
  while (*link != 0) {
    ExpiringEntry &entry = entry_at(table, *link);
    if (has_ended(entry, now)) {
      unlink(table, *link);
    } else {
      link = &entry.next;
    }
  }
}

void sweep_next_bucket(ExpiringTable &table, Moment now) noexcept {
  sweep_bucket(table, table.sweep, now);
  table.sweep = (table.sweep + 1) & table.bucket_mask;
}

/// @return whether there is a free entry now.
bool make_room(ExpiringTable &table, Moment now) noexcept {
  for (std::uint32_t i = 0; table.free == 0 && i <= table.bucket_mask; ++i) {
    sweep_next_bucket(table, now);
  }
  return table.free != 0;
}

/// @return the index of an entry that nobody uses, or 0.
std::uint32_t take_entry(ExpiringTable &table, Moment now) noexcept {
  if (table.free == 0 && table.unused <= table.capacity) {
    return table.unused++;
  }
  if (table.free == 0 && !make_room(table, now)) {
    return 0;
  }
  const std::uint32_t index = table.free;
  table.free = entry_at(table, index).next;
  return index;
}

void renew(ExpiringEntry &entry, const ExpiringRecord &record, std::time_t steady_end, Moment now) noexcept {
  ExpiringRecord &renewed = entry.record;
  renewed.before = has_ended(entry, now) ? record.before : std::max(renewed.before, record.before);
  keep_order();
  renewed.end = std::max(renewed.end, record.end);
  entry.steady_end = std::max(entry.steady_end, steady_end);
}

std::size_t size_of(std::size_t buckets, std::size_t capacity) noexcept {
  return sizeof(ExpiringTable) + buckets * sizeof(std::uint32_t) + capacity * sizeof(ExpiringEntry);
}

}  // namespace

bool is_for_any_issuer(const ExpiringKey &key) noexcept {
  return std::all_of(std::begin(key.issuer), std::end(key.issuer), [](unsigned char byte) { return byte == 0; });
}

ExpiringTable *make_expiring_table(void *place, std::size_t size) noexcept {
  // A bucket for an entry, rounded down to a power of two; at least two, so that the entries behind them are aligned.
  std::size_t buckets = 2;
  while (size_of(buckets * 2, buckets * 2) <= size && buckets < (std::size_t{1} << 31)) {
    buckets *= 2;
  }
  if (size_of(buckets, 1) > size) {
    return nullptr;
  }
  constexpr std::size_t most = std::uint32_t{0} - std::uint32_t{2};
  auto *table = new (place) ExpiringTable();
  table->bucket_mask = static_cast<std::uint32_t>(buckets - 1);
  table->capacity = static_cast<std::uint32_t>(std::min((size - size_of(buckets, 0)) / sizeof(ExpiringEntry), most));
  table->unused = 1;
  std::memset(buckets_of(*table), 0, buckets * sizeof(std::uint32_t));
  keep_order();
  table->layout = expiring_table_layout;
  return table;
}

const ExpiringEntry *first_record(const ExpiringTable &table, std::uint32_t bucket) noexcept {
  const std::uint32_t index = buckets_of(table)[bucket];
  return index == 0 ? nullptr : &entry_at(table, index);
}

const ExpiringEntry *next_record(const ExpiringTable &table, const ExpiringEntry &entry) noexcept {
  return entry.next == 0 ? nullptr : &entry_at(table, entry.next);
}

std::uint32_t bucket_of_hash(const ExpiringTable &table, std::uint32_t kind, std::uint32_t hash) noexcept {
  return (hash ^ kind) & table.bucket_mask;
}

bool may_have_record(const ExpiringTable &table, std::uint32_t kind, std::uint32_t hash) noexcept {
  return buckets_of(table)[bucket_of_hash(table, kind, hash)] != 0;
}

bool has_ended(const ExpiringEntry &entry, Moment now) noexcept {
  return entry.record.end <= now.wall && entry.steady_end <= now.steady;
}

const ExpiringEntry *find_record(ExpiringTable &table, const ExpiringKey &key, Moment now) noexcept {
  const ExpiringEntry *entry = find_entry(table, key);
  return entry == nullptr || has_ended(*entry, now) ? nullptr : entry;
}

bool make_room_for(ExpiringTable &table, std::size_t count, Moment now) noexcept {
  const auto has_room = [&table, count] {
    std::size_t used = 0;
    for (const std::uint32_t of_kind : table.counts) {
      used += of_kind;
    }
    return table.capacity - used >= count;
  };
  for (std::uint32_t i = 0; !has_room() && i <= table.bucket_mask; ++i) {
    sweep_next_bucket(table, now);
  }
  return has_room();
}

Added add_record(ExpiringTable &table, const ExpiringRecord &record, Moment now) noexcept {
  const std::time_t steady_end = now.steady + std::max<std::time_t>(record.end - now.wall, 0);
  if (ExpiringEntry *entry = find_entry(table, record.key)) {
    renew(*entry, record, steady_end, now);
    return Added::renewed;
  }
  const std::uint32_t index = take_entry(table, now);
  if (index == 0) {
    return Added::full;
  }
  std::uint32_t &bucket = bucket_of(table, record.key);
  new (&entry_at(table, index)) ExpiringEntry{record, steady_end, bucket};
  table.counts[record.key.kind]++;
  keep_order();
  bucket = index;
  return Added::added;
}

void sweep_expiring_table(ExpiringTable &table, Moment now) noexcept {
  constexpr std::uint32_t most_buckets = 1024;
  for (std::uint32_t i = 0; i <= table.bucket_mask && i < most_buckets; ++i) {
    sweep_next_bucket(table, now);
  }
}

void repair_expiring_table(ExpiringTable &table) noexcept {
  std::uint32_t counts[ExpiringTable::most_kinds] = {};
  table.free = 0;
  for (std::uint32_t index = 1; index < table.unused; ++index) {
    const ExpiringKey &key = entry_at(table, index).record.key;
    if (find_entry(table, key) == &entry_at(table, index)) {
      counts[key.kind]++;
    } else {
      put_into_free_list(table, index);
    }
  }
  std::memcpy(table.counts, counts, sizeof(counts));
}

}  // namespace gateway
