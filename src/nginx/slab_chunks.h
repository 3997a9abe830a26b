#pragma once

#include <cstddef>
#include <string_view>

#include "nginx.h"

namespace nginx {

/// Bytes in a zone of shared memory, in pieces whose sizes are powers of two, since nginx's slab allocator has no
/// others: 1100 bytes in one would take 2048. No piece is larger than a page, so that a zone whose free pages lie apart
/// is as good as a new one. Whoever calls holds the zone's mutex.
struct SlabChunk {
  SlabChunk *next;
};

/// @param size bytes, not zero.
/// @return pieces with room for all of them, or nullptr where the zone has none.
SlabChunk *allocate_chunks(ngx_slab_pool_t *zone, std::size_t size) noexcept;

void free_chunks(ngx_slab_pool_t *zone, SlabChunk *first) noexcept;

/// Goes through pieces from their first byte to their last.
class ChunkCursor {
 public:
  ChunkCursor() = default;
  /// @param size as it was allocated.
  ChunkCursor(SlabChunk *first, std::size_t size) noexcept;

  void write(std::string_view bytes) noexcept;
  void read(char *out, std::size_t size) noexcept;

  void skip(std::size_t size) noexcept;

  /// @return whether this text comes next; then the cursor is behind it.
  bool skip_equal(std::string_view text) noexcept;

 private:
  template <typename Take>
  bool each(std::size_t size, Take take) noexcept;
  void enter(SlabChunk *piece) noexcept;

  SlabChunk *piece_ = nullptr;
  char *at_ = nullptr;
  std::size_t left_here_ = 0;
  std::size_t left_ = 0;  ///< in this piece and all behind it
};

}  // namespace nginx
