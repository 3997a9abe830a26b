// Target URIs: the same are exactly those that another normaliser (RFC 3986 section 6.2) writes alike.

#include "oauth/target_uri.h"

#include "fuzz.h"
#include "uri_oracle.h"

namespace {

bool same(std::string_view one, std::string_view other) {
  fuzz::Memory memory;
  return oauth::is_same_target(one, other, memory);
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
  REQUIRE(!normal_one || same(one, *normal_one));
  REQUIRE(!normal_one || fuzz::normalize_uri(*normal_one) == normal_one);
  return 0;
}
