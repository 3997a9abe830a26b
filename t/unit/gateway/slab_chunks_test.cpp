#include "nginx/slab_chunks.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "nginx_stub.h"

namespace nginx {
namespace {

using nginx_stub::Zone;

std::string sample(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>('a' + i * 7 % 23);
  }
  return text;
}

/// Sizes whose pieces are one, two and more, and one byte to each side.
const std::size_t sizes[] = {1, 56, 57, 119, 120, 121, 1100, 4087, 4088, 4089, 8176, 8177, 20000};

/// A text in pieces.
class Chunked {
 public:
  explicit Chunked(std::string_view text) : size_(text.size()), first_(allocate_chunks(&zone_, size_)) {
    EXPECT_NE(first_, nullptr);
    cursor().write(text);
  }
  Chunked(const Chunked &) = delete;
  Chunked &operator=(const Chunked &) = delete;
  ~Chunked() {
    free_chunks(&zone_, first_);
    EXPECT_EQ(zone_.unfreed(), 0U);
  }

  ChunkCursor cursor() const { return ChunkCursor(first_, size_); }

 private:
  Zone zone_;
  std::size_t size_;
  SlabChunk *first_;
};

// 8 bytes of each piece lead to the next one.
TEST(SlabChunks, HaveSizesOfPowersOfTwoThatAreFilledAndNoneAboveAPage) {
  struct Case {
    std::size_t size;
    std::vector<std::size_t> pieces;
  };
  const Case cases[] = {
      {1, {64}},      {56, {64}},         {57, {64, 64}},         {119, {64, 64, 64}},
      {120, {128}},   {121, {128, 64}},   {1100, {1024, 64, 64}}, {4087, {2048, 2048, 64}},
      {4088, {4096}}, {4089, {4096, 64}}, {8176, {4096, 4096}},   {8177, {4096, 4096, 64}},
  };
  for (const Case &row : cases) {
    Zone zone;
    SlabChunk *first = allocate_chunks(&zone, row.size);
    EXPECT_NE(first, nullptr) << row.size;
    EXPECT_EQ(zone.sizes(), row.pieces) << row.size;
    free_chunks(&zone, first);
    EXPECT_EQ(zone.unfreed(), 0U) << row.size;
  }
}

TEST(SlabChunks, FollowTheSizeOfThePage) {
  const ngx_uint_t usual = ngx_pagesize;
  ngx_pagesize = 16384;
  Zone zone;
  free_chunks(&zone, allocate_chunks(&zone, 16384));
  ngx_pagesize = usual;
  EXPECT_EQ(zone.sizes(), (std::vector<std::size_t>{16384, 64}));
}

TEST(SlabChunks, AreAllGivenBackWhereOneOfThemFails) {
  for (std::size_t allowed = 0; allowed < 3; ++allowed) {
    Zone zone(allowed);
    EXPECT_EQ(allocate_chunks(&zone, 1100), nullptr) << allowed;
    EXPECT_EQ(zone.sizes().size(), allowed);
    EXPECT_EQ(zone.unfreed(), 0U) << allowed;
  }
  Zone zone(3);
  SlabChunk *first = allocate_chunks(&zone, 1100);
  EXPECT_NE(first, nullptr);
  free_chunks(&zone, first);
}

TEST(SlabChunks, OfNoChunkMayBeFreed) {
  Zone zone;
  free_chunks(&zone, nullptr);
  EXPECT_EQ(zone.unfreed(), 0U);
}

TEST(ChunkCursor, ReadsWhatHasBeenWrittenInStepsOfAnySize) {
  for (const std::size_t size : sizes) {
    const std::string text = sample(size);
    const Chunked chunked(text);
    for (const std::size_t step : {std::size_t{1}, std::size_t{55}, std::size_t{4088}, size}) {
      ChunkCursor cursor = chunked.cursor();
      std::string read(size, '?');
      for (std::size_t at = 0; at < size; at += step) {
        cursor.read(&read[at], std::min(step, size - at));
      }
      EXPECT_EQ(read, text) << size << " in steps of " << step;
    }
  }
}

TEST(ChunkCursor, WritesInSteps) {
  const std::string text = sample(1100);
  Zone zone;
  SlabChunk *first = allocate_chunks(&zone, text.size());
  ASSERT_NE(first, nullptr);
  ChunkCursor cursor(first, text.size());
  for (std::size_t at = 0; at < text.size(); at += 100) {
    cursor.write(std::string_view(text).substr(at, 100));
    cursor.write({});
  }
  EXPECT_TRUE(ChunkCursor(first, text.size()).skip_equal(text));
  free_chunks(&zone, first);
}

TEST(ChunkCursor, SkipsWhatIsEqualAndStandsBehindIt) {
  for (const std::size_t size : sizes) {
    const std::string text = sample(size);
    const Chunked chunked(text);
    for (const std::size_t skipped : {std::size_t{0}, size / 2, size - 1, size}) {
      ChunkCursor cursor = chunked.cursor();
      EXPECT_TRUE(cursor.skip_equal(text.substr(0, skipped)));
      std::string rest(size - skipped, '?');
      cursor.read(rest.data(), rest.size());
      EXPECT_EQ(rest, text.substr(skipped)) << size << " behind " << skipped;
    }
  }
}

TEST(ChunkCursor, SkipsNothingThatDiffersInAnyByte) {
  for (const std::size_t size : sizes) {
    const std::string text = sample(size);
    const Chunked chunked(text);
    for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
      std::string other = text;
      other[place] = '!';
      EXPECT_FALSE(chunked.cursor().skip_equal(other)) << size << ", at " << place;
    }
  }
}

}  // namespace
}  // namespace nginx
