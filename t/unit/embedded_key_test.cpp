#include "jose/embedded_key.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_memory.h"

namespace jose {
namespace {

constexpr const char *no_jwk = "its header has no jwk";
constexpr const char *private_member = "the jwk in its header has a private member";
constexpr const char *no_public_key = "the jwk in its header is no public key";

struct Header {
  explicit Header(std::string_view json) : text(json) {
    const char *problem = nullptr;
    value = parse_json(text.data(), text.size(), memory, problem);
    EXPECT_NE(value, nullptr) << json;
  }

  TestMemory memory;
  TestText text;
  const JsonValue *value = nullptr;
};

TEST(EmbeddedKey, IsReadFromTheHeader) {
  const Header header(R"({"jwk":{"kty":"EC","crv":"P-256","x":"X","y":"Y","n":"N","e":"E","kid":"1"}})");
  JwkMembers jwk;
  EXPECT_STREQ(read_embedded_key(*header.value, jwk), nullptr);
  EXPECT_EQ(jwk.kty, "EC");
  EXPECT_EQ(jwk.crv, "P-256");
  EXPECT_EQ(jwk.x, "X");
  EXPECT_EQ(jwk.y, "Y");
  EXPECT_EQ(jwk.n, "N");
  EXPECT_EQ(jwk.e, "E");
}

/// @return what is wrong with a header that has this `jwk`, or none where that is empty.
const char *find_problem(std::string_view value) {
  const Header header(value.empty() ? "{}" : R"({"jwk":)" + std::string(value) + "}");
  JwkMembers jwk;
  return read_embedded_key(*header.value, jwk);
}

TEST(EmbeddedKey, IsRefusedWhereItIsNone) {
  const struct {
    std::string_view jwk;
    const char *problem;
  } cases[] = {
      {R"({"kty":"RSA"})", nullptr},
      {R"({"kty":"OKP","x":7})", nullptr},
      {"", no_jwk},
      {"null", no_jwk},
      {R"("{}")", no_jwk},
      {R"([{"kty":"EC"}])", no_jwk},
      {"{}", no_public_key},
      {R"({"kty":7})", no_public_key},
      {R"({"kty":"ec"})", no_public_key},
      {R"({"kty":"oct"})", no_public_key},
      {R"({"kty":null})", no_public_key},
      // RFC 9449 section 4.3, check 7: also where the private member has no value
      {R"({"kty":"EC","d":""})", private_member},
      {R"({"kty":"EC","d":null})", private_member},
      {R"({"kty":"EC","p":"x"})", private_member},
      {R"({"kty":"EC","q":"x"})", private_member},
      {R"({"kty":"EC","dp":"x"})", private_member},
      {R"({"kty":"EC","dq":"x"})", private_member},
      {R"({"kty":"EC","qi":"x"})", private_member},
      {R"({"kty":"EC","oth":[]})", private_member},
      {R"({"kty":"oct","k":"x"})", private_member},
  };
  for (const auto &test : cases) {
    EXPECT_STREQ(find_problem(test.jwk), test.problem) << test.jwk;
  }
}

TEST(EmbeddedKey, HasNoMemberThatIsNoString) {
  const Header header(R"({"jwk":{"kty":"EC","crv":1,"x":["X"],"y":{"a":"Y"},"n":true,"e":null}})");
  JwkMembers jwk;
  EXPECT_STREQ(read_embedded_key(*header.value, jwk), nullptr);
  for (const std::string_view member : {jwk.crv, jwk.x, jwk.y, jwk.n, jwk.e}) {
    EXPECT_TRUE(member.empty());
  }
}

}  // namespace
}  // namespace jose
