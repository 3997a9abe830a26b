#include "slab_chunks.h"

#include <algorithm>

namespace nginx {
namespace {

/// Below, the link to the next piece would cost more than what is left over.
constexpr std::size_t smallest = 64;

std::size_t largest_power_of_two(std::size_t limit) noexcept {
  constexpr int last_bit = 8 * sizeof(limit) - 1;
  return std::size_t{1} << (last_bit - __builtin_clzl(limit));
}

/// @return the size of the next piece where so many bytes are to come: the largest that is filled.
std::size_t piece_size(std::size_t left) noexcept {
  return std::clamp(largest_power_of_two(left + sizeof(SlabChunk)), smallest, static_cast<std::size_t>(ngx_pagesize));
}

std::size_t room_in(std::size_t left) noexcept {
  return std::min(left, piece_size(left) - sizeof(SlabChunk));
}

}  // namespace

SlabChunk *allocate_chunks(ngx_slab_pool_t *zone, std::size_t size) noexcept {
  SlabChunk *first = nullptr;
  SlabChunk **link = &first;
  std::size_t left = size;
  while (left != 0) {
    auto *piece = static_cast<SlabChunk *>(ngx_slab_alloc_locked(zone, piece_size(left)));
    if (piece == nullptr) {
      free_chunks(zone, first);
      return nullptr;
    }
    piece->next = nullptr;
    *link = piece;
    link = &piece->next;
    left -= room_in(left);
  }
  return first;
}

void free_chunks(ngx_slab_pool_t *zone, SlabChunk *first) noexcept {
  while (first != nullptr) {
    SlabChunk *piece = first;
    first = piece->next;
    ngx_slab_free_locked(zone, piece);
  }
}

ChunkCursor::ChunkCursor(SlabChunk *first, std::size_t size) noexcept : left_(size) {
  enter(first);
}

void ChunkCursor::enter(SlabChunk *piece) noexcept {
  piece_ = piece;
  at_ = reinterpret_cast<char *>(piece + 1);
  left_here_ = room_in(left_);
}

/// Calls take(bytes, count) for as many bytes as asked for, piece by piece, as long as it returns true.
template <typename Take>
bool ChunkCursor::each(std::size_t size, Take take) noexcept {
  while (size != 0) {
    if (left_here_ == 0) {
      enter(piece_->next);
    }
    const std::size_t count = std::min(size, left_here_);
    if (!take(at_, count)) {
      return false;
    }
    at_ += count;
    left_here_ -= count;
    left_ -= count;
    size -= count;
  }
  return true;
}

void ChunkCursor::write(std::string_view bytes) noexcept {
  (void)each(bytes.size(), [&](char *place, std::size_t count) noexcept {
    bytes.copy(place, count);
    bytes.remove_prefix(count);
    return true;
  });
}

void ChunkCursor::read(char *out, std::size_t size) noexcept {
  (void)each(size, [&](const char *place, std::size_t count) noexcept {
    out = reinterpret_cast<char *>(ngx_cpymem(out, place, count));
    return true;
  });
}

void ChunkCursor::skip(std::size_t size) noexcept {
  (void)each(size, [](const char * /*place*/, std::size_t /*count*/) noexcept { return true; });
}

bool ChunkCursor::skip_equal(std::string_view text) noexcept {
  return each(text.size(), [&](const char *place, std::size_t count) noexcept {
    const bool equal = text.substr(0, count) == std::string_view(place, count);
    text.remove_prefix(count);
    return equal;
  });
}

}  // namespace nginx
