#include "oauth/client_assertion.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "jose/base64url.h"
#include "test_keys.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

std::string decode(std::string_view text) {
  std::string bytes(base64url_decoded_size(text.size()), '\0');
  EXPECT_TRUE(base64url_decode(text, bytes.data())) << text;
  return bytes;
}

struct Parts {
  std::string header;
  std::string claims;
};

Parts make(const ClientAssertionTemplate &common, std::int64_t now = 1000, std::string_view jti = "AAAA") {
  TestMemory memory;
  std::string_view assertion;
  EXPECT_TRUE(make_client_assertion(common, now, jti, memory, assertion));
  const std::size_t first = assertion.find('.');
  const std::size_t second = assertion.rfind('.');
  return {decode(assertion.substr(0, first)), decode(assertion.substr(first + 1, second - first - 1))};
}

TEST(ClientAssertion, SaysWhatRfc7523Section3AsksFor) {
  const Parts parts = make({{nullptr, nullptr, "secret"}, "", "gateway", "https://as.example"});
  EXPECT_EQ(parts.header, R"({"alg":"HS256","typ":"JWT"})");
  EXPECT_EQ(parts.claims,
            R"({"iss":"gateway","sub":"gateway","aud":"https://as.example","jti":"AAAA","iat":1000,"exp":1060})");
}

TEST(ClientAssertion, NamesItsKey) {
  const PrivateKey key = make_ec_key("P-256");
  EXPECT_EQ(make({{find_signature_algorithm("ES256"), key.get(), {}}, "k1", "g", "a"}).header,
            R"({"alg":"ES256","typ":"JWT","kid":"k1"})");
  EXPECT_EQ(make({{nullptr, nullptr, "s"}, R"(a"b\c)", "g", "a"}).header,
            R"({"alg":"HS256","typ":"JWT","kid":"a\"b\\c"})");
}

TEST(ClientAssertion, EscapesWhatJsonAsksFor) {
  const Parts parts = make({{nullptr, nullptr, "s"}, "", "a\"\\\n\x1F/\xC3\xA9", "\t"}, 4102444800);
  EXPECT_EQ(parts.claims,
            "{\"iss\":\"a\\\"\\\\\\u000a\\u001f/\xC3\xA9\",\"sub\":\"a\\\"\\\\\\u000a\\u001f/\xC3\xA9\","
            "\"aud\":\"\\u0009\",\"jti\":\"AAAA\",\"iat\":4102444800,\"exp\":4102444860}");
}

TEST(ClientAssertion, IsRefusedWithoutMemory) {
  expect_refusal_without_memory([](Memory &memory) {
    std::string_view assertion;
    return make_client_assertion({{nullptr, nullptr, "s"}, "", "g", "a"}, 1, "A", memory, assertion);
  });
}

}  // namespace
}  // namespace oauth
