#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "../checked_memory.h"

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

using Memory = jose::TestMemory;
using Text = jose::TestText;

}  // namespace fuzz
