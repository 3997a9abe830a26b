#include "gateway/cache/expiring_table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gateway {
namespace {

constexpr std::uint32_t kind_count = ExpiringTable::most_kinds;

/// Before this time nothing has ended.
constexpr Moment beginning = {std::numeric_limits<std::time_t>::min(), std::numeric_limits<std::time_t>::min()};

Moment at(std::time_t seconds) {
  return {seconds, seconds};
}

ExpiringKey make_key(unsigned value, unsigned issuer = 0, std::uint32_t kind = 1) {
  ExpiringKey key;
  key.kind = kind;
  std::memset(key.value, 'v', sizeof(key.value));
  key.hash = value % 2;  // many share it
  std::memcpy(key.value + sizeof(key.value) - sizeof(value), &value, sizeof(value));
  std::memcpy(key.issuer + sizeof(key.issuer) - sizeof(issuer), &issuer, sizeof(issuer));
  return key;
}

ExpiringRecord record_of(unsigned value, std::time_t end, std::int64_t before = 0) {
  return {make_key(value), end, before};
}

/// A table in memory that processes share.
class Table {
 public:
  explicit Table(std::size_t size) : size_(size), place_(map(size)), table_(make_expiring_table(place_, size)) {
    EXPECT_NE(table_, nullptr);
  }
  /// A copy, as the next worker finds it.
  Table(const Table &other)
      : size_(other.size_), place_(map(other.size_)), table_(static_cast<ExpiringTable *>(place_)) {
    std::memcpy(place_, other.place_, size_);
  }
  Table &operator=(const Table &) = delete;
  ~Table() { munmap(place_, size_); }

  ExpiringTable &operator*() { return *table_; }
  ExpiringTable *operator->() { return table_; }

  std::string bytes() const { return {static_cast<const char *>(place_), size_}; }

 private:
  static void *map(std::size_t size) {
    void *place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) {
      std::abort();
    }
    return place;
  }

  std::size_t size_;
  void *place_;
  ExpiringTable *table_;
};

/// Room for four entries in four buckets.
constexpr std::size_t small_size = sizeof(ExpiringTable) + 4 * sizeof(std::uint32_t) + 4 * sizeof(ExpiringEntry);

struct Span {
  std::int64_t before = 0;
  std::time_t end = 0;
  std::time_t steady_end = 0;

  bool operator==(const Span &other) const {
    return before == other.before && end == other.end && steady_end == other.steady_end;
  }
  bool has_ended(Moment now) const { return end <= now.wall && steady_end <= now.steady; }
};

/// A key as text, which begins with the digit of its kind.
std::string text_of(const ExpiringKey &key) {
  return std::to_string(key.kind) + std::string(reinterpret_cast<const char *>(key.value), sizeof(key.value)) +
         std::string(reinterpret_cast<const char *>(key.issuer), sizeof(key.issuer));
}

using Entries = std::map<std::string, Span>;

/// Ends the process where the links of the table lead in a circle, in which nothing else would ever end.
void require_end_of_links(const ExpiringTable &table) {
  for (std::uint32_t bucket = 0; bucket <= table.bucket_mask; ++bucket) {
    std::uint32_t length = 0;
    for (const ExpiringEntry *entry = first_record(table, bucket); entry != nullptr;
         entry = next_record(table, *entry)) {
      if (++length > table.capacity) {
        std::fputs("the entries of a bucket are a circle\n", stderr);
        std::abort();
      }
    }
  }
}

/// All that is linked, whether or not it has ended.
Entries linked(ExpiringTable &table) {
  require_end_of_links(table);
  Entries entries;
  for_each_record(table, beginning, [&](const ExpiringRecord &record) {
    const ExpiringEntry *entry = find_record(table, record.key, beginning);
    ASSERT_NE(entry, nullptr);
    EXPECT_TRUE(entries.emplace(text_of(record.key), Span{record.before, record.end, entry->steady_end}).second)
        << "twice";
  });
  return entries;
}

Entries living(ExpiringTable &table, Moment now) {
  Entries entries;
  for (const auto &[key, span] : linked(table)) {
    if (!span.has_ended(now)) {
      entries.emplace(key, span);
    }
  }
  return entries;
}

void expect_counts_of(ExpiringTable &table, const Entries &entries) {
  std::uint32_t counts[kind_count] = {};
  for (const auto &entry : entries) {
    counts[entry.first.front() - '0']++;
  }
  for (std::uint32_t kind = 0; kind < kind_count; ++kind) {
    EXPECT_EQ(table.counts[kind], counts[kind]) << "of kind " << kind;
  }
}

/// What is not linked can be used. Fills the table.
void expect_no_lost_entry(ExpiringTable &table) {
  std::size_t count = linked(table).size();
  const auto forever = std::numeric_limits<std::time_t>::max();
  for (unsigned i = 0; count <= table.capacity; ++i) {
    require_end_of_links(table);
    if (add_record(table, {make_key(1000 + i), forever, 0}, {0, 0}) != Added::added) {
      break;
    }
    ++count;
  }
  EXPECT_EQ(count, table.capacity);
  EXPECT_EQ(linked(table).size(), table.capacity);
}

// --- its place ---

TEST(ExpiringTable, HasAsManyEntriesAsFitIntoItsPlace) {
  constexpr std::size_t bucket = sizeof(std::uint32_t);
  constexpr std::size_t entry = sizeof(ExpiringEntry);
  const struct {
    std::size_t size;
    std::uint32_t buckets;
    std::uint32_t capacity;
  } cases[] = {
      {2 * bucket + entry, 2, 1},
      {2 * bucket + 2 * entry - 1, 2, 1},
      {2 * bucket + 2 * entry, 2, 2},
      {4 * bucket + 4 * entry - 1, 2, 4},
      {4 * bucket + 4 * entry, 4, 4},
      {8 * bucket + 8 * entry, 8, 8},
      {1024 * bucket + 1030 * entry, 1024, 1030},
  };
  for (const auto &row : cases) {
    const std::size_t size = sizeof(ExpiringTable) + row.size;
    const std::unique_ptr<char[]> place(new char[size]);  // AddressSanitizer sees what goes over its end
    std::memset(place.get(), 0xA5, size);
    ExpiringTable *table = make_expiring_table(place.get(), size);
    ASSERT_NE(table, nullptr) << size;
    EXPECT_EQ(table->layout, expiring_table_layout);
    EXPECT_EQ(table->bucket_mask, row.buckets - 1) << size;
    EXPECT_EQ(table->capacity, row.capacity) << size;
    EXPECT_TRUE(linked(*table).empty());
    expect_counts_of(*table, {});
    expect_no_lost_entry(*table);
  }
}

TEST(ExpiringTable, NeedsRoomForAnEntry) {
  constexpr std::size_t least = sizeof(ExpiringTable) + 2 * sizeof(std::uint32_t) + sizeof(ExpiringEntry);
  alignas(std::max_align_t) char place[least];
  for (std::size_t size = 0; size < least; ++size) {
    EXPECT_EQ(make_expiring_table(place, size), nullptr) << size;
  }
  EXPECT_NE(make_expiring_table(place, least), nullptr);
}

// --- what is found ---

TEST(ExpiringTable, FindsWhatWasAdded) {
  Table table(small_size);
  const ExpiringKey keys[] = {make_key(1), make_key(1, 1), make_key(1, 0, 2), make_key(3)};
  for (const ExpiringKey &key : keys) {
    EXPECT_EQ(find_record(*table, key, at(0)), nullptr);
    EXPECT_EQ(add_record(*table, {key, 100, 7}, at(10)), Added::added);
    const ExpiringEntry *entry = find_record(*table, key, at(10));
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->record.before, 7);
    EXPECT_EQ(entry->record.end, 100);
  }
  EXPECT_EQ(linked(*table).size(), 4U);
  EXPECT_EQ(table->counts[1], 3U);
  EXPECT_EQ(table->counts[2], 1U);
  for (const ExpiringKey &key : {make_key(2), make_key(3, 1), make_key(3, 0, 2), make_key(1, 2)}) {
    EXPECT_EQ(find_record(*table, key, at(10)), nullptr);
  }
}

TEST(ExpiringTable, ShowsAllEntriesOfAHash) {
  Table table(small_size + 3 * sizeof(ExpiringEntry));
  for (unsigned issuer = 0; issuer < 3; ++issuer) {
    add_record(*table, {make_key(1, issuer), 100 + static_cast<std::time_t>(issuer), issuer}, at(0));
  }
  add_record(*table, {make_key(3, 7), 100, 7}, at(0));
  add_record(*table, {make_key(1, 8, 5), 100, 8}, at(0));
  add_record(*table, {make_key(2, 9), 100, 9}, at(0));
  const auto shown = [&](Moment now) {
    std::set<std::int64_t> befores;
    EXPECT_FALSE(has_record(*table, 1, make_key(1).hash, now, [&](const ExpiringRecord &record) {
      befores.insert(record.before);
      return false;
    }));
    return befores;
  };
  EXPECT_EQ(shown(at(99)), (std::set<std::int64_t>{0, 1, 2, 7}));
  EXPECT_EQ(shown(at(101)), (std::set<std::int64_t>{2}));
  EXPECT_EQ(shown(at(102)), (std::set<std::int64_t>{}));
  const auto is_of = [&](std::int64_t before) {
    return has_record(*table, 1, make_key(1).hash, at(0),
                      [&](const ExpiringRecord &record) { return record.before == before; });
  };
  EXPECT_TRUE(is_of(0) && is_of(1) && is_of(2) && is_of(7));
  EXPECT_FALSE(is_of(8) || is_of(9));
  EXPECT_TRUE(may_have_record(*table, 1, 1) && may_have_record(*table, 1, 0));
  EXPECT_FALSE(may_have_record(*table, 2, 0));
}

TEST(ExpiringTable, TellsAnyIssuerFromOne) {
  EXPECT_TRUE(is_for_any_issuer(make_key(1)));
  for (std::size_t i = 0; i < ExpiringKey::digest_size; ++i) {
    ExpiringKey key = make_key(1);
    key.issuer[i] = 1;
    EXPECT_FALSE(is_for_any_issuer(key)) << i;
  }
}

// --- its ends ---

TEST(ExpiringTable, RenewsToTheLaterEndAndTheLaterTime) {
  const struct {
    std::time_t end;
    std::int64_t before;
    Span expected;  ///< of an entry that ends at 100, of tokens before 50
  } cases[] = {
      {200, 60, {60, 200, 200}}, {200, 40, {50, 200, 200}}, {80, 60, {60, 100, 100}},
      {80, 40, {50, 100, 100}},  {5, 60, {60, 100, 100}},   {100, 50, {50, 100, 100}},
  };
  for (const auto &row : cases) {
    Table table(small_size);
    EXPECT_EQ(add_record(*table, record_of(1, 100, 50), at(0)), Added::added);
    EXPECT_EQ(add_record(*table, record_of(1, row.end, row.before), at(10)), Added::renewed);
    EXPECT_EQ(linked(*table), (Entries{{text_of(make_key(1)), row.expected}})) << row.end << ' ' << row.before;
    EXPECT_EQ(table->counts[1], 1U);
  }
}

TEST(ExpiringTable, TakesTheNewTimeOfAnEntryThatHasEnded) {
  Table table(small_size);
  add_record(*table, record_of(1, 100, 5000), at(0));
  EXPECT_EQ(find_record(*table, make_key(1), at(100)), nullptr);
  add_record(*table, record_of(1, 200, 60), at(100));
  EXPECT_EQ(linked(*table), (Entries{{text_of(make_key(1)), {60, 200, 200}}}));
  EXPECT_EQ(table->counts[1], 1U);
}

TEST(ExpiringTable, KeepsAnEntryUntilBothClocksSayThatItHasEnded) {
  Table table(small_size);
  add_record(*table, record_of(1, 1100), {1000, 7});
  const struct {
    Moment now;
    bool lives;
  } cases[] = {
      {{1000, 7}, true},    {{1099, 106}, true}, {{1100, 107}, false},
      {{1100, 106}, true},  {{1099, 107}, true}, {{5000, 8}, true},  // the clock was set forward
      {{500, 200}, true},   {{500, 100}, true},                      // and back
      {{5000, 200}, false},
  };
  for (const auto &row : cases) {
    EXPECT_EQ(find_record(*table, make_key(1), row.now) != nullptr, row.lives) << row.now.wall << row.now.steady;
  }
  for (const auto &row : cases) {
    Table copy(table);
    sweep_expiring_table(*copy, row.now);
    EXPECT_EQ(linked(*copy).size(), row.lives ? 1U : 0U) << row.now.wall << row.now.steady;
  }
}

TEST(ExpiringTable, HasNoPlaceInTheSteadyClocksPastForAnEntryThatIsAlreadyOver) {
  Table table(small_size);
  EXPECT_EQ(add_record(*table, record_of(1, 900), {1000, 7}), Added::added);
  EXPECT_EQ(linked(*table), (Entries{{text_of(make_key(1)), {0, 900, 7}}}));
  EXPECT_EQ(find_record(*table, make_key(1), {1000, 7}), nullptr);
}

TEST(ExpiringTable, ThatIsFullChangesNothing) {
  Table table(small_size);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(add_record(*table, record_of(i, 100 + static_cast<std::time_t>(i)), at(0)), Added::added);
  }
  const Entries before = linked(*table);
  EXPECT_EQ(add_record(*table, record_of(4, 200), at(99)), Added::full);
  EXPECT_EQ(linked(*table), before);
  expect_counts_of(*table, before);
  EXPECT_EQ(add_record(*table, record_of(2, 300), at(99)), Added::renewed) << "what is there needs no room";

  EXPECT_EQ(add_record(*table, record_of(4, 200), at(100)), Added::added) << "the first one has ended";
  EXPECT_EQ(find_record(*table, make_key(0), beginning), nullptr);
  EXPECT_EQ(add_record(*table, record_of(5, 200), at(100)), Added::full);
  EXPECT_EQ(linked(*table).size(), 4U);
  expect_counts_of(*table, linked(*table));
}

TEST(ExpiringTable, IsEmptyOnceItHasBeenSwept) {
  constexpr std::size_t size = 512 * 1024;  // more buckets than one sweep looks at
  Table table(size);
  ASSERT_GT(table->bucket_mask, 1024U);
  std::mt19937 random(1);
  const unsigned count = table->capacity / 2;
  for (unsigned i = 0; i < count; ++i) {
    ExpiringRecord record = record_of(i, 100 + i % 2);
    record.key.hash = static_cast<std::uint32_t>(random());
    EXPECT_EQ(add_record(*table, record, at(0)), Added::added);
  }
  const auto sweep_all = [&](Moment now) {
    for (std::uint32_t i = 0; i <= table->bucket_mask; i += 1024) {
      sweep_expiring_table(*table, now);
    }
  };
  sweep_all(at(99));
  EXPECT_EQ(table->counts[1], count);
  sweep_expiring_table(*table, at(100));
  EXPECT_LT(table->counts[1], count);
  EXPECT_GT(table->counts[1], count / 2) << "a sweep takes a part of the buckets";
  sweep_all(at(100));
  EXPECT_EQ(table->counts[1], count / 2);
  sweep_all(at(101));
  EXPECT_EQ(table->counts[1], 0U);
  EXPECT_TRUE(linked(*table).empty());
  expect_no_lost_entry(*table);
}

// --- against a model ---

struct Operation {
  bool is_sweep = false;
  ExpiringRecord record;
  Moment now;

  Added run(ExpiringTable &table) const {
    if (is_sweep) {
      sweep_expiring_table(table, now);
      return Added::added;
    }
    return add_record(table, record, now);
  }
};

/// What the table should hold.
class Model {
 public:
  explicit Model(std::size_t capacity) : capacity_(capacity) {}

  /// @return whether it is full.
  bool apply(const Operation &operation) {
    forget_ended(operation.now);
    if (operation.is_sweep) {
      return false;
    }
    const ExpiringRecord &record = operation.record;
    const std::time_t left = std::max<std::time_t>(record.end - operation.now.wall, 0);
    const Span added = {record.before, record.end, operation.now.steady + left};
    const auto found = entries_.find(text_of(record.key));
    if (found == entries_.end() && entries_.size() == capacity_) {
      return true;
    }
    Span &span = entries_[text_of(record.key)];
    span = found == entries_.end() ? added
                                   : Span{std::max(span.before, added.before), std::max(span.end, added.end),
                                          std::max(span.steady_end, added.steady_end)};
    return false;
  }

  const Entries &living(Moment now) {
    forget_ended(now);
    return entries_;
  }

 private:
  void forget_ended(Moment now) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      entry = entry->second.has_ended(now) ? entries_.erase(entry) : std::next(entry);
    }
  }

  std::size_t capacity_;
  Entries entries_;
};

/// Operations at random. Time passes, and now and then somebody sets the clock forward.
class Operations {
 public:
  Operations(unsigned seed, unsigned values) : random_(seed), values_(values) {}

  Operation next() {
    const unsigned passed = below(8) == 0 ? below(5) : 0;
    now_.steady += passed;
    now_.wall += passed + (below(200) == 0 ? below(20) : 0);
    Operation operation;
    operation.is_sweep = below(20) == 0;
    operation.now = now_;
    operation.record = {make_key(below(values_), below(2), below(kind_count)), now_.wall + below(60) - 3, below(1000)};
    return operation;
  }

 private:
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

  std::mt19937 random_;
  unsigned values_;
  Moment now_ = {1000, 1};
};

TEST(ExpiringTable, DoesWhatAMapDoes) {
  unsigned times_full = 0;
  unsigned seed = 0;
  for (const std::size_t size : {small_size, std::size_t{1500}, std::size_t{5000}}) {
    for (const unsigned values : {1U, 2U, 20U}) {
      Table table(size);
      Model model(table->capacity);
      Operations operations(++seed, values);
      for (int i = 0; i < 4000; ++i) {
        const Operation operation = operations.next();
        const bool was_there = model.living(operation.now).count(text_of(operation.record.key)) != 0;
        const bool is_full = model.apply(operation);
        const Added added = operation.run(*table);
        ASSERT_EQ(added == Added::full, is_full) << seed << ' ' << i;
        ASSERT_TRUE(operation.is_sweep || !was_there || added == Added::renewed) << seed << ' ' << i;
        ASSERT_EQ(living(*table, operation.now), model.living(operation.now)) << seed << ' ' << i;
        expect_counts_of(*table, linked(*table));
        times_full += is_full ? 1 : 0;
      }
      expect_no_lost_entry(*table);
    }
  }
  EXPECT_GT(times_full, 1000U);
}

// --- workers that are killed ---

/// Whether the value is that of before the operation, or that of after it.
template <typename T>
bool is_either(const T &value, const T &one, const T &other) {
  return value == one || value == other;
}

/// A table that a worker has left in the middle of an operation must hold all that it held before, and no more than it
/// would hold after.
void expect_nothing_lost(ExpiringTable &table, const Entries &before, const Entries &after, Moment now) {
  const Entries found = living(table, now);
  for (const auto &[key, span] : found) {
    const auto done = after.find(key);
    ASSERT_NE(done, after.end()) << "out of nothing";
    const auto was = before.find(key);
    const bool has_lived = was != before.end() && !was->second.has_ended(now);
    EXPECT_TRUE(span.before == done->second.before || (has_lived && span.before == was->second.before));
    EXPECT_TRUE(was != before.end() || span.end == done->second.end || span.steady_end == done->second.steady_end);
    if (has_lived) {
      EXPECT_TRUE(is_either(span.end, was->second.end, done->second.end));
      EXPECT_TRUE(is_either(span.steady_end, was->second.steady_end, done->second.steady_end));
    }
  }
  for (const auto &[key, span] : before) {
    EXPECT_TRUE(span.has_ended(now) || found.count(key) != 0) << "lost";
  }
}

/// What is new must be there as a whole, or not at all.
void expect_no_half_entry(ExpiringTable &table, const Entries &before, const Entries &after) {
  for (const auto &[key, span] : linked(table)) {
    EXPECT_TRUE(before.count(key) != 0 || (after.count(key) != 0 && span == after.at(key)));
  }
}

/// Lets a child do what `work` does, and looks at the table after each instruction that has changed it.
/// @return how many changes there were.
template <typename Work, typename Look>
std::size_t step_through(Table &table, Work work, Look look) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    work(*table);
    _exit(0);
  }
  std::size_t changes = 0;
  std::string last = table.bytes();
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  while (WIFSTOPPED(status) && ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0) {
    EXPECT_EQ(waitpid(child, &status, 0), child);
    std::string bytes = table.bytes();
    if (bytes != last) {
      last = std::move(bytes);
      ++changes;
      look();
    }
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  return changes;
}

/// @return a table in which these operations have been done.
Table table_after(const std::vector<Operation> &operations) {
  Table table(small_size);
  for (const Operation &operation : operations) {
    operation.run(*table);
  }
  return table;
}

Operation add_at(std::time_t now, unsigned value, std::time_t end, std::int64_t before = 1) {
  return {false, record_of(value, end, before), at(now)};
}

Operation sweep_at(std::time_t now) {
  return {true, {}, at(now)};
}

struct Killed {
  const char *name;
  std::vector<Operation> before;
  Operation last;  ///< in which the worker is killed
};

/// 0, 2, 4 and 6 are in one bucket, 1, 3, 5 in another.
const Killed killed[] = {
    {"the first entry", {}, add_at(10, 0, 100)},
    {"an entry before another in its bucket", {add_at(10, 0, 100)}, add_at(10, 2, 100)},
    {"the last free entry", {add_at(10, 0, 100), add_at(10, 1, 100), add_at(10, 2, 100)}, add_at(10, 4, 100)},
    {"renewing a living entry", {add_at(10, 0, 100, 7)}, add_at(20, 0, 200, 9)},
    {"renewing one whose end stays", {add_at(10, 0, 100, 7)}, add_at(20, 0, 50, 9)},
    {"renewing one that has ended", {add_at(10, 0, 100, 7), add_at(10, 2, 300)}, add_at(200, 0, 300, 3)},
    {"reusing an entry", {add_at(10, 0, 20), add_at(10, 2, 100), sweep_at(30)}, add_at(30, 4, 100)},
    {"making room in a full table",
     {add_at(10, 0, 100), add_at(10, 2, 20), add_at(10, 4, 100), add_at(10, 6, 20)},
     add_at(30, 1, 100)},
    {"a full table",
     {add_at(10, 0, 100), add_at(10, 2, 100), add_at(10, 4, 100), add_at(10, 6, 100)},
     add_at(30, 1, 100)},
    {"a sweep at the head, in the middle and at the end of a bucket",
     {add_at(10, 0, 20), add_at(10, 2, 100), add_at(10, 4, 20), add_at(10, 1, 20)},
     sweep_at(30)},
    {"a sweep of all", {add_at(10, 0, 20), add_at(10, 2, 20), add_at(10, 4, 20), add_at(10, 6, 20)}, sweep_at(30)},
};

TEST(ExpiringTable, IsRepairedAfterAWorkerWasKilledAtAnyInstruction) {
  for (const Killed &test : killed) {
    SCOPED_TRACE(test.name);
    Table table = table_after(test.before);
    const Moment now = test.last.now;
    const Entries before = linked(*table);
    Table done(table);
    const Added result = test.last.run(*done);
    const Entries after = linked(*done);
    const std::size_t changes = step_through(
        table, [&](ExpiringTable &shared) { test.last.run(shared); },
        [&] {
          Table left(table);
          expect_no_half_entry(*left, before, after);
          expect_nothing_lost(*left, before, after, now);
          repair_expiring_table(*left);
          expect_nothing_lost(*left, before, after, now);
          expect_counts_of(*left, linked(*left));
          expect_no_lost_entry(*left);
        });
    EXPECT_TRUE(changes != 0 || result == Added::full);
    EXPECT_EQ(linked(*table), after) << "what was acknowledged is there";
  }
}

/// One entry is neither linked nor free, and the counters are wrong.
Table broken_table() {
  Table table = table_after({add_at(10, 0, 100), add_at(10, 2, 20), add_at(10, 4, 20), sweep_at(30)});
  table->free = 0;
  table->counts[1] = 7;
  table->counts[3] = 1;
  return table;
}

TEST(ExpiringTable, IsRepairedAfterARepairWasKilled) {
  Table table = broken_table();
  const Entries entries = linked(*table);
  ASSERT_EQ(entries.size(), 1U);
  const auto expect_repaired = [&entries](Table &left) {
    EXPECT_EQ(linked(*left), entries);
    expect_counts_of(*left, entries);
    expect_no_lost_entry(*left);
  };
  const std::size_t changes = step_through(
      table, [](ExpiringTable &shared) { repair_expiring_table(shared); },
      [&] {
        Table left(table);
        repair_expiring_table(*left);
        expect_repaired(left);
      });
  EXPECT_GT(changes, 2U);
  expect_repaired(table);
}

TEST(ExpiringTable, IsNotChangedByARepairThatItDoesNotNeed) {
  Operations operations(1, 20);
  Table table(1500);
  for (int i = 0; i < 2000; ++i) {
    operations.next().run(*table);
    if (i % 50 == 0) {
      Table repaired(table);
      repair_expiring_table(*repaired);
      EXPECT_EQ(linked(*repaired), linked(*table));
      expect_counts_of(*repaired, linked(*table));
      expect_no_lost_entry(*repaired);
    }
  }
}

/// Does operations until it is killed, and says after each how many there have been.
[[noreturn]] void work_until_killed(ExpiringTable &table, unsigned seed, volatile std::uint64_t &acknowledged) {
  Operations operations(seed, 20);
  for (;;) {
    operations.next().run(table);
    acknowledged = acknowledged + 1;
  }
}

TEST(ExpiringTable, LosesNothingThatWasAcknowledgedWhereWorkersAreKilledAtRandom) {
  std::mt19937 random(2);
  Table counter(small_size);
  volatile std::uint64_t &acknowledged = counter->file_inode;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    Table table(1500);
    acknowledged = 0;
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      work_until_killed(*table, seed, acknowledged);
    }
    const std::uint64_t wanted = random() % 300;
    while (acknowledged < wanted) {
      std::this_thread::yield();
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);

    Operations operations(seed, 20);
    Model model(table->capacity);
    for (std::uint64_t i = 0; i < acknowledged; ++i) {
      model.apply(operations.next());
    }
    const Operation last = operations.next();
    const Entries before = model.living(last.now);
    model.apply(last);
    repair_expiring_table(*table);
    expect_nothing_lost(*table, before, model.living(last.now), last.now);
    expect_counts_of(*table, linked(*table));
    expect_no_lost_entry(*table);
  }
}

}  // namespace
}  // namespace gateway
