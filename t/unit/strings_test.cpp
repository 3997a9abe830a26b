#include "jose/strings.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace jose {
namespace {

using std::literals::operator""sv;

TEST(Strings, IterateInOrderAndKnowWhetherTheyAreEmpty) {
  EXPECT_TRUE(Strings{}.empty());
  EXPECT_EQ(Strings{}.begin(), Strings{}.end());

  const std::string_view items[] = {"a", "b"};
  const Strings strings{items, 2};
  EXPECT_FALSE(strings.empty());
  EXPECT_EQ(std::vector<std::string_view>(strings.begin(), strings.end()), (std::vector<std::string_view>{"a", "b"}));
}

TEST(EqualIgnoringCase, ComparesAsciiLettersWithoutCase) {
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_TRUE(equal_ignoring_case("Bearer", "bEARER"));
  EXPECT_TRUE(equal_ignoring_case("application/JWT", "APPLICATION/jwt"));
  EXPECT_TRUE(equal_ignoring_case("AZaz", "azAZ"));
}

TEST(EqualIgnoringCase, ComparesEverythingElseExactly) {
  EXPECT_FALSE(equal_ignoring_case("Bearer", "Beare"));
  EXPECT_FALSE(equal_ignoring_case("Beare", "Bearer"));
  EXPECT_FALSE(equal_ignoring_case("", "a"));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
  EXPECT_FALSE(equal_ignoring_case("[", "{"));
  EXPECT_FALSE(equal_ignoring_case("\r", "-"));
  EXPECT_FALSE(equal_ignoring_case("\xC0", "\xE0"));  // A and a with grave in Latin-1
  EXPECT_FALSE(equal_ignoring_case("a\0"sv, "a"sv));
  EXPECT_FALSE(equal_ignoring_case("a\0b"sv, "a\0c"sv));
}

}  // namespace
}  // namespace jose
