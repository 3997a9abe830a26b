#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "jose/memory.h"

namespace jose {

/// Memory of one test or one input: each allocation is a block of its own, so that AddressSanitizer sees what goes over
/// its end, and is full of garbage.
class TestMemory final : public Memory {
 public:
  /// @param allowed allocations that succeed; all later ones fail.
  explicit TestMemory(std::size_t allowed = SIZE_MAX) noexcept : allowed_(allowed) {}

  void *allocate(std::size_t size) noexcept override {
    if (size == 0) {
      std::abort();
    }
    if (blocks_.size() == allowed_) {
      return nullptr;
    }
    blocks_.emplace_back(new char[size]);
    return std::memset(blocks_.back().get(), 0xA5, size);
  }

  std::size_t allocations() const noexcept { return blocks_.size(); }

 private:
  std::size_t allowed_;
  std::vector<std::unique_ptr<char[]>> blocks_;
};

/// A text that may be rewritten, with room for the terminator and not a byte more.
class TestText {
 public:
  explicit TestText(std::string_view text) : size_(text.size()), data_(new char[text.size() + 1]) {
    text.copy(data_.get(), size_);
    data_[size_] = '#';
  }

  char *data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> data_;
};

}  // namespace jose
