#include "jose/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_memory.h"

namespace jose {
namespace {

using std::literals::operator""sv;

/// @return the text, whose room is exact, so that AddressSanitizer sees what goes over its end.
std::string encode(std::string_view bytes) {
  const TestText room(std::string(base64_encoded_size(bytes.size()), '#'));
  base64_encode(bytes, room.data());
  EXPECT_EQ(room.data()[room.size()], '\0');
  return {room.data(), room.size()};
}

TEST(Base64, EncodesTheVectorsOfRfc4648Section10) {
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foob"), "Zm9vYg==");
  EXPECT_EQ(encode("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
}

TEST(Base64, HasPlusAndSlash) {
  EXPECT_EQ(encode("\xFB\xFF\xBF\0"sv), "+/+/AA==");
}

}  // namespace
}  // namespace jose
