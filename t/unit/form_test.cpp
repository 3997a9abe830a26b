#include "oauth/form.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace oauth {
namespace {

using std::literals::operator""sv;

std::string encode(std::string_view text) {
  std::string out(form_encoded_size(text), '?');
  EXPECT_EQ(form_encode(out.data(), text), out.data() + out.size());
  return out;
}

/// What a form parser of the authorization server does.
std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

TEST(Form, LeavesUnreservedCharacters) {
  const std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";
  EXPECT_EQ(encode(unreserved), unreserved);
  EXPECT_EQ(encode(""), "");
}

TEST(Form, EscapesTheRest) {
  EXPECT_EQ(encode("a+b/c=="), "a%2Bb%2Fc%3D%3D");
  EXPECT_EQ(encode("t&client_id=evil"), "t%26client_id%3Devil");
  EXPECT_EQ(encode("%26"), "%2526");
  EXPECT_EQ(encode("a b"), "a+b");
  EXPECT_EQ(encode("~"), "%7E");
  EXPECT_EQ(encode("\r\n\t"), "%0D%0A%09");
  EXPECT_EQ(encode("\0"sv), "%00");
  EXPECT_EQ(encode("\xC3\xA9\xFF\x80"), "%C3%A9%FF%80");
  // The example of RFC 6749 appendix B.
  EXPECT_EQ(encode(" %&+\xC2\xA3\xE2\x82\xAC"), "+%25%26%2B%C2%A3%E2%82%AC");
}

TEST(Form, IsUndoneByAFormParser) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) {
    every_byte += static_cast<char>(byte);
  }
  EXPECT_EQ(decode(encode(every_byte)), every_byte);

  std::string long_token;
  for (int i = 0; i < 1000; ++i) {
    long_token += "a+b/c=~";
  }
  EXPECT_EQ(decode(encode(long_token)), long_token);
}

}  // namespace
}  // namespace oauth
