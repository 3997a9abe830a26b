#include "jose/base64url.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "test_jwt.h"

namespace jose {
namespace {

using std::literals::operator""sv;

std::optional<std::string> decode(std::string_view text) {
  std::string out(base64url_decoded_size(text.size()), '?');
  const bool accepted = base64url_decode(text, out.data());
  EXPECT_EQ(base64url_decode(text, nullptr), accepted) << text;
  return accepted ? std::optional(out) : std::nullopt;
}

TEST(Base64url, DecodesTheVectorsOfRfc4648Section10WithoutPadding) {
  EXPECT_EQ(decode(""), "");
  EXPECT_EQ(decode("Zg"), "f");
  EXPECT_EQ(decode("Zm8"), "fo");
  EXPECT_EQ(decode("Zm9v"), "foo");
  EXPECT_EQ(decode("Zm9vYg"), "foob");
  EXPECT_EQ(decode("Zm9vYmE"), "fooba");
  EXPECT_EQ(decode("Zm9vYmFy"), "foobar");
}

TEST(Base64url, EncodesWhatItDecodes) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char &byte : bytes) {
      byte = static_cast<char>(random());
    }
    std::string text(base64url_encoded_size(size), '?');
    base64url_encode(bytes, text.data());
    EXPECT_EQ(text, base64url(bytes));
    EXPECT_EQ(decode(text), bytes);
  }
}

TEST(Base64url, DecodesTheExampleOfRfc7515AppendixC) {
  EXPECT_EQ(decode("A-z_4ME"), "\x03\xEC\xFF\xE0\xC1"sv);
}

TEST(Base64url, RefusesWhatIsNotCanonical) {
  for (const std::string_view text :
       {"Z"sv, "A"sv, "Zm9vY"sv, "AAAAA"sv, "Zg=="sv, "Zm8="sv, "Zg="sv, "="sv, "A+z/"sv, "+"sv, "////"sv, "Zm9v "sv,
        " Zm9v"sv, "Zm\n9v"sv, "Zm9v\r\n"sv, "Zm9.v"sv, "Zm9\0"sv, "\xFF\xFF\xFF\xFF"sv, "Zm9\x80"sv,
        // unused bits that are not zero
        "Zh"sv, "Zv"sv, "Zm9"sv, "Zm_"sv, "Zm9vYh"sv, "Zm9vYmF"sv}) {
    EXPECT_EQ(decode(text), std::nullopt) << text;
  }
}

TEST(Base64url, TakesTheAlphabetAndNothingElse) {
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool expected = alphabet.find(c) != std::string_view::npos;
    for (std::string text : {"?AAA", "A?AA", "AA?A", "AAA?"}) {
      text.replace(text.find('?'), 1, 1, c);
      EXPECT_EQ(decode(text).has_value(), expected) << byte;
    }
  }
}

TEST(Base64url, EachTextOfTwoCharactersIsTheOnlyOneForItsByte) {
  int accepted = 0;
  for (int first = 0; first < 128; ++first) {
    for (int second = 0; second < 128; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      if (const auto bytes = decode(text)) {
        EXPECT_EQ(base64url(*bytes), text);
        ++accepted;
      }
    }
  }
  EXPECT_EQ(accepted, 256);
}

TEST(Base64url, UndoesAnEncoder) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char &byte : bytes) {
      byte = static_cast<char>(random());
    }
    EXPECT_EQ(decode(base64url(bytes)), bytes);
  }
}

}  // namespace
}  // namespace jose
