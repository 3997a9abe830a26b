#include "jose/percent.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace jose {
namespace {

TEST(PercentEncoding, IsAPercentSignAndTwoDigits) {
  for (int byte = 0; byte < 256; ++byte) {
    for (const char *digits : {"0123456789abcdef", "0123456789ABCDEF"}) {
      const std::string text = {'%', digits[byte / 16], digits[byte % 16]};
      EXPECT_EQ(percent_decode(text), byte) << text;
      EXPECT_EQ(percent_decode(text + "x"), byte) << text;
    }
  }
}

TEST(PercentEncoding, IsNothingElse) {
  for (const char *text :
       {"", "%", "%4", "%g0", "%0g", "%%4", "% 4", "%-1", "41", "x%41", "%4\xC1", "%`0", "%@0", "%/0", "%:0"}) {
    EXPECT_EQ(percent_decode(text), -1) << text;
  }
  EXPECT_EQ(percent_decode(std::string_view("%41", 2)), -1);
}

}  // namespace
}  // namespace jose
