// Target URIs: the same are exactly those that another normaliser (RFC 3986 section 6.2) writes alike.

#include "oauth/target_uri.h"

#include "fuzz.h"
#include "uri_oracle.h"

namespace {

bool same(std::string_view one, std::string_view other) {
  fuzz::Memory memory;
  return oauth::is_same_target(one, other, memory);
}

/// Whether each `%` is followed by two digits. No URI has another one, but a request may: `%%32e` would become an
/// encoding when it is decoded.
bool is_encoded_throughout(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    const std::string_view digits = text.substr(at + 1, 2);
    if (digits.size() < 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

// A line each: two URIs.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view one = input.line();
  const std::string_view other = input.rest();
  const auto normal_one = fuzz::normalize_uri(one);
  const auto normal_other = fuzz::normalize_uri(other);
  REQUIRE(oauth::is_target_uri(one) == normal_one.has_value());
  REQUIRE(same(one, other) == (normal_one && normal_one == normal_other));
  REQUIRE(same(one, other) == same(other, one));
  if (normal_one && is_encoded_throughout(one)) {
    REQUIRE(same(one, *normal_one));
    REQUIRE(fuzz::normalize_uri(*normal_one) == normal_one);
  }
  return 0;
}
