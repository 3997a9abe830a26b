#include "nginx/strings.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "../test_memory.h"
#include "nginx_stub.h"

namespace nginx {
namespace {

using nginx_stub::Pool;
using std::literals::operator""sv;

TEST(NginxStrings, AreViewsOfTheSameBytesInBothDirections) {
  const std::string_view view = "a\0b"sv;
  EXPECT_EQ(to_ngx_str(view).data, reinterpret_cast<const u_char *>(view.data()));
  EXPECT_EQ(to_view(to_ngx_str(view)), view);
  EXPECT_TRUE(to_view(ngx_null_string).empty());
}

TEST(NginxCopy, IsOfAllBytesWithANulBehindThem) {
  for (const std::string_view text : {""sv, "a"sv, "a\0b"sv}) {
    Pool pool;
    const ngx_str_t copied = copy(&pool, text);
    EXPECT_EQ(to_view(copied), text);
    ASSERT_NE(copied.data, nullptr);
    EXPECT_EQ(copied.data[copied.len], '\0');
    EXPECT_NE(copied.data, to_ngx_str(text).data);
  }
}

TEST(NginxCopy, IsANullStringWithoutMemory) {
  jose::expect_refusal_without_memory<Pool>([](Pool &pool) {
    const ngx_str_t copied = copy(&pool, "text");
    EXPECT_EQ(copied.len, copied.data == nullptr ? 0U : 4U);
    return copied.data != nullptr;
  });
}

TEST(ControlCharacters, AreFoundWhereverTheyStand) {
  for (const std::string_view text : {"\0"sv, "\x1f"sv, "\x7f"sv, "\r\n"sv, "a\tb"sv, "ab\n"sv,
                                      "\x01"
                                      "ab"sv}) {
    EXPECT_TRUE(has_control_characters(text)) << text;
  }
  for (const std::string_view text : {""sv, " "sv, "~"sv, "\x80"sv, "\xff"sv, "plain text"sv}) {
    EXPECT_FALSE(has_control_characters(text)) << text;
  }
}

TEST(Printable, HasDotsForWhatIsNotPrintableAscii) {
  struct Case {
    std::string_view text;
    std::string_view shown;
  };
  for (const Case &row :
       {Case{"", ""}, {" plain~", " plain~"}, {"a\r\nb", "a..b"}, {"\0\x1f\x7f\x80\xff"sv, "....."}}) {
    Pool pool;
    EXPECT_EQ(to_view(printable(&pool, row.text)), row.shown);
  }
}

TEST(Printable, IsCutBehindTwoHundredBytes) {
  for (const std::size_t size : {199U, 200U, 201U, 1000U}) {
    Pool pool;
    const std::string text = std::string(size, 'x');
    EXPECT_EQ(to_view(printable(&pool, text)), text.substr(0, 200));
  }
}

TEST(Printable, IsEmptyWithoutMemory) {
  jose::expect_refusal_without_memory<Pool>([](Pool &pool) { return printable(&pool, "a\nb").len != 0; });
}

TEST(NginxEqualIgnoringCase, ComparesAsciiLettersWithoutCase) {
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_TRUE(equal_ignoring_case("Content-TYPE", "content-type"));
  EXPECT_FALSE(equal_ignoring_case("Content-Type", "Content-Typ"));
  EXPECT_FALSE(equal_ignoring_case("Content-Typ", "Content-Type"));
  EXPECT_FALSE(equal_ignoring_case("Host", "Hose"));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace nginx
