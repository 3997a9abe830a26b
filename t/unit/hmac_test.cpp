#include "jose/hmac.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_openssl_memory.h"

namespace jose {
namespace {

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += digits[static_cast<unsigned char>(byte) >> 4U];
    hex += digits[static_cast<unsigned char>(byte) & 0xFU];
  }
  return hex;
}

std::string hmac(std::string_view secret, std::string_view text) {
  unsigned char mac[sha256_size];
  EXPECT_TRUE(hmac_sha256(secret, text, mac));
  return hex_of({reinterpret_cast<const char *>(mac), sizeof(mac)});
}

std::string bytes_from(char first, std::size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    bytes += static_cast<char>(first + static_cast<char>(bytes.size()));
  }
  return bytes;
}

// RFC 4231 section 4; the one that is left out, 4.6, cuts the HMAC.
TEST(Hmac, HasTheAnswersOfRfc4231) {
  const std::string long_key(131, '\xAA');
  const struct {
    std::string secret;
    std::string text;
    std::string_view mac;
  } cases[] = {
      {std::string(20, '\x0B'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xAA'), std::string(50, '\xDD'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {bytes_from('\1', 25), std::string(50, '\xCD'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {long_key,
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
       "hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(hmac(test.secret, test.text), test.mac) << test.text;
  }
}

TEST(Hmac, FailsWithAnEmptyErrorQueueWhereOpensslHasNoMemory) {
  const std::string expected = hmac("Jefe", "text");
  const int failures = count_failures_without_memory([&expected] {
    unsigned char mac[sha256_size];
    const bool succeeded = hmac_sha256("Jefe", "text", mac);
    EXPECT_TRUE(!succeeded || hex_of({reinterpret_cast<const char *>(mac), sizeof(mac)}) == expected);
    return succeeded;
  });
  EXPECT_GT(failures, 0);
}

TEST(Hmac, IsComparedAsAWhole) {
  const std::string text = "0123456789";
  EXPECT_TRUE(equal_in_constant_time(text, "0123456789"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_FALSE(equal_in_constant_time(text, "012345678"));
  EXPECT_FALSE(equal_in_constant_time(text, "01234567890"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = 'x';
    EXPECT_FALSE(equal_in_constant_time(text, other)) << i;
  }
}

}  // namespace
}  // namespace jose
