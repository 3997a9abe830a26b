// The JSON reader against jansson: both accept a text or both refuse it, and read the same values. Where they differ is
// written down here and in README.md.

#include "jose/json.h"

#include <cmath>
#include <string>

#include "fuzz.h"
#include "oracle.h"

namespace {

constexpr std::string_view too_deep = "the JSON is nested too deeply";
constexpr std::string_view too_large = "the JSON has a number that is too large";

/// Without memory the text is refused, wherever it runs out.
void check_without_memory(std::string_view text, std::size_t allocations) {
  for (std::size_t allowed = 0; allowed < std::min<std::size_t>(allocations, 40); ++allowed) {
    fuzz::Memory memory(allowed);
    const fuzz::Text copy(text);
    const char *problem = nullptr;
    REQUIRE(jose::parse_json(copy.data(), copy.size(), memory, problem) == nullptr);
    REQUIRE(problem != nullptr);
  }
}

/// In the last place of 64 bits: never a wrap, and always rounded down.
void check_dates(const jose::JsonValue &value) {
  constexpr double exact = 9007199254740992.0;  // 2^53: up to here a double holds every whole number
  std::int64_t seconds = 0;
  const bool good = jose::read_numeric_date(value, seconds);
  REQUIRE(!good || value.kind == jose::JsonKind::number);
  if (good) {
    const double number = std::strtod(std::string(value.text).c_str(), nullptr);
    REQUIRE(static_cast<double>(seconds) <= std::max(number, -9223372036854775808.0));
    REQUIRE(std::abs(number) > exact || static_cast<double>(seconds) + 1 >= number);
    REQUIRE(std::abs(number) <= exact || std::abs(static_cast<double>(seconds)) >= exact);
  }
  for (const jose::JsonValue *child = value.first; child != nullptr; child = child->next) {
    check_dates(*child);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  const fuzz::Text copy(text);
  fuzz::Memory memory;
  const char *problem = nullptr;
  const jose::JsonValue *ours = jose::parse_json(copy.data(), copy.size(), memory, problem);
  const fuzz::Json theirs = fuzz::load(text);

  REQUIRE((ours == nullptr) == (problem != nullptr));
  if (ours != nullptr && theirs.value != nullptr) {
    fuzz::require_equal(*ours, theirs.value.get());
  } else if (ours != nullptr) {
    REQUIRE(theirs.overflow);  // we keep the text of a number; whoever asks for its value is refused
  } else if (theirs.value != nullptr) {
    REQUIRE(theirs.open);
    REQUIRE(problem == too_deep || problem == too_large);
  }
  if (ours != nullptr) {
    check_without_memory(text, memory.allocations());
    check_dates(*ours);
  }
  return 0;
}
