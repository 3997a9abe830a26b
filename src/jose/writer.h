#pragma once

#include <cstddef>
#include <string_view>

#include "memory.h"

namespace jose {

/// Writes a text, or only counts its bytes. One function that puts a text thus serves both to find its size and to
/// write it.
class Writer {
 public:
  /// @param out nullptr to count only, else room for all that will be put.
  explicit Writer(char *out) noexcept : out_(out) {}

  std::size_t size() const noexcept { return size_; }

  void put(char c) noexcept {
    if (out_ != nullptr) {
      out_[size_] = c;
    }
    ++size_;
  }

  void put(std::string_view text) noexcept {
    if (out_ != nullptr) {
      text.copy(out_ + size_, text.size());
    }
    size_ += text.size();
  }

  /// Puts the inside of a quoted-string (RFC 9110 section 5.6.4).
  void put_escaped(std::string_view text) noexcept {
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        put('\\');
      }
      put(c);
    }
  }

  /// Counts so many bytes, which the caller writes.
  /// @return where to write them; nullptr where they are only counted.
  char *take(std::size_t size) noexcept {
    char *place = out_ == nullptr ? nullptr : out_ + size_;
    size_ += size;
    return place;
  }

 private:
  char *out_;
  std::size_t size_ = 0;
};

/// @param describe a function that puts the text into a Writer. It is called twice, to count and to write.
/// @param text set to the text, in `memory`, where the result is true.
/// @return false where there is no memory.
template <typename Describe>
bool write_text(Memory &memory, Describe describe, std::string_view &text) noexcept {
  Writer counter(nullptr);
  describe(counter);
  if (counter.size() == 0) {
    text = {};
    return true;
  }
  auto *bytes = static_cast<char *>(memory.allocate(counter.size()));
  if (bytes == nullptr) {
    return false;
  }
  Writer writer(bytes);
  describe(writer);
  text = {bytes, writer.size()};
  return true;
}

}  // namespace jose
