#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "oauth/memory.h"

/// What libFuzzer calls with each input; each target defines one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace fuzz {

/// Ends the process where a property does not hold, so that libFuzzer keeps the input.
inline void require(bool holds, const char *property, const char *file, int line) {
  if (!holds) {
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, property);
    std::abort();
  }
}

// A macro, for the text of the property and its place.
#define REQUIRE(property) ::fuzz::require((property), #property, __FILE__, __LINE__)

/// An input as text that a person can write: lines for the small things, then the rest.
class Input {
 public:
  Input(const std::uint8_t *data, std::size_t size) : rest_(reinterpret_cast<const char *>(data), size) {}

  /// @return what stands before the next line feed, which is taken too.
  std::string_view line() {
    const std::string_view text = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(text.size() + 1, rest_.size()));
    return text;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// The pieces between the separators; an empty one is none.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(piece.size() + 1, text.size()));
    if (!piece.empty()) {
      pieces.push_back(piece);
    }
  }
  return pieces;
}

/// Each allocation is a block of its own, so that AddressSanitizer sees what goes over its end, and is full of garbage.
class Memory final : public oauth::Memory {
 public:
  /// @param allowed allocations that succeed; all later ones fail.
  explicit Memory(std::size_t allowed = SIZE_MAX) noexcept : allowed_(allowed) {}

  void *allocate(std::size_t size) noexcept override {
    REQUIRE(size != 0);
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
class Text {
 public:
  explicit Text(std::string_view text) : size_(text.size()), data_(new char[text.size() + 1]) {
    text.copy(data_.get(), size_);
    data_[size_] = '#';
  }

  char *data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> data_;
};

}  // namespace fuzz
