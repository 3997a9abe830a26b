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

TEST(IsUtf8, TakesWhatRfc3629Section4Has) {
  for (const std::string_view text :
       {""sv, "a"sv, "\0\x7F"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv, "\xEE\x80\x80"sv,
        "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv, "gateway\xC3\xA9\xE2\x82\xACx"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(IsUtf8, RefusesWhatIsNotInIt) {
  for (const std::string_view text :
       {"\x80"sv, "\xBF"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xC2"sv, "\xC2\x41"sv, "a\xC2\xC0"sv, "\xE0\x9F\xBF"sv,
        "\xE0\xA0"sv, "\xE0\xA0\x41"sv, "\xED\xA0\x80"sv, "\xF0\x8F\xBF\xBF"sv, "\xF0\x90\x80"sv, "\xF1\x80\x80\xC0"sv,
        "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv, "a\xE9"sv}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

}  // namespace
}  // namespace jose
