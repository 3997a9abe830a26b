#include "oauth/client_authentication.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr ClientAuthentication methods[] = {ClientAuthentication::basic,
                                            ClientAuthentication::basic_raw,
                                            ClientAuthentication::post,
                                            ClientAuthentication::client_secret_jwt,
                                            ClientAuthentication::private_key_jwt,
                                            ClientAuthentication::none};

std::string authorization(const ClientCredentials &credentials) {
  TestMemory memory;
  std::string_view value = "unset";
  EXPECT_TRUE(write_basic_authorization(credentials, memory, value));
  return std::string(value);
}

std::string parameters(const ClientCredentials &credentials) {
  TestMemory memory;
  std::string_view text;
  EXPECT_TRUE(write_text(
      memory, [&](Writer &writer) { put_client_parameters(writer, credentials); }, text));
  return std::string(text);
}

struct Case {
  std::string_view id;
  std::string_view secret;
  std::string_view basic;      ///< base64 of the form-encoded parts, RFC 6749 section 2.3.1
  std::string_view basic_raw;  ///< base64 of the parts as they are, RFC 7617
  std::string_view post;
};

// Computed with Python: base64.b64encode((quote_plus(id, safe='*-._') + ':' + quote_plus(secret, safe='*-._'))
// .replace('~', '%7E').encode()), and without quote_plus.
const Case cases[] = {
    {"gateway", "gateway-secret", "Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==", "Basic Z2F0ZXdheTpnYXRld2F5LXNlY3JldA==",
     "&client_id=gateway&client_secret=gateway-secret"},
    {"gateway", "p+q%r/s:t~\xC3\xA9", "Basic Z2F0ZXdheTpwJTJCcSUyNXIlMkZzJTNBdCU3RSVDMyVBOQ==",
     "Basic Z2F0ZXdheTpwK3Elci9zOnR+w6k=", "&client_id=gateway&client_secret=p%2Bq%25r%2Fs%3At%7E%C3%A9"},
    {"gateway-odd", "o+d d%/&=s", "Basic Z2F0ZXdheS1vZGQ6byUyQmQrZCUyNSUyRiUyNiUzRHM=",
     "Basic Z2F0ZXdheS1vZGQ6bytkIGQlLyY9cw==", "&client_id=gateway-odd&client_secret=o%2Bd+d%25%2F%26%3Ds"},
    {"a:b c", "x", "Basic YSUzQWIrYzp4", "Basic YTpiIGM6eA==", "&client_id=a%3Ab+c&client_secret=x"},
    {"a", "*-._", "Basic YToqLS5f", "Basic YToqLS5f", "&client_id=a&client_secret=*-._"},
    {"a", "\n\0\r"sv, "Basic YTolMEElMDAlMEQ=", "Basic YToKAA0=", "&client_id=a&client_secret=%0A%00%0D"},
    {"a", "b", "Basic YTpi", "Basic YTpi", "&client_id=a&client_secret=b"},
    {"ab", "b", "Basic YWI6Yg==", "Basic YWI6Yg==", "&client_id=ab&client_secret=b"},
    {"ab", "bc", "Basic YWI6YmM=", "Basic YWI6YmM=", "&client_id=ab&client_secret=bc"},
    {"https://gw.example/\xC3\xA9?a=1&b", "s", "Basic aHR0cHMlM0ElMkYlMkZndy5leGFtcGxlJTJGJUMzJUE5JTNGYSUzRDElMjZiOnM=",
     "Basic aHR0cHM6Ly9ndy5leGFtcGxlL8OpP2E9MSZiOnM=",
     "&client_id=https%3A%2F%2Fgw.example%2F%C3%A9%3Fa%3D1%26b&client_secret=s"},
    {"a", "", "Basic YTo=", "Basic YTo=", "&client_id=a&client_secret="},
};

TEST(ClientAuthentication, IsInTheHeaderOrInTheBody) {
  for (const Case &test : cases) {
    EXPECT_EQ(authorization({test.id, test.secret, ClientAuthentication::basic}), test.basic) << test.id;
    EXPECT_EQ(authorization({test.id, test.secret, ClientAuthentication::basic_raw}), test.basic_raw) << test.id;
    EXPECT_EQ(authorization({test.id, test.secret, ClientAuthentication::post}), "") << test.id;
    EXPECT_EQ(parameters({test.id, test.secret, ClientAuthentication::basic}), "") << test.id;
    EXPECT_EQ(parameters({test.id, test.secret, ClientAuthentication::basic_raw}), "") << test.id;
    EXPECT_EQ(parameters({test.id, test.secret, ClientAuthentication::post}), test.post) << test.id;
  }
}

TEST(ClientAuthentication, LeavesRoomForAnAssertion) {
  for (const ClientAuthentication method :
       {ClientAuthentication::client_secret_jwt, ClientAuthentication::private_key_jwt}) {
    EXPECT_TRUE(uses_assertion(method));
    EXPECT_EQ(authorization({"a:b", "secret", method}), "");
    EXPECT_EQ(parameters({"a:b", "secret", method}),
              "&client_id=a%3Ab&client_assertion_type="
              "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=");
  }
}

TEST(ClientAuthentication, OfNoneHasTheIdAlone) {
  EXPECT_EQ(authorization({"a:b", "", ClientAuthentication::none}), "");
  EXPECT_EQ(parameters({"a:b", "", ClientAuthentication::none}), "&client_id=a%3Ab");
}

TEST(ClientAuthentication, IsNoneWithoutAnId) {
  for (const ClientAuthentication method : methods) {
    for (const std::string_view secret : {""sv, "secret"sv}) {
      EXPECT_EQ(authorization({"", secret, method}), "");
      EXPECT_EQ(parameters({"", secret, method}), "");
    }
  }
  EXPECT_EQ(authorization({}), "");
  EXPECT_EQ(parameters({}), "");
}

TEST(ClientAuthentication, HasRoomForTheLongestSecret) {
  const std::string secret(4096, '\xFF');
  const std::string value = authorization({"gateway", secret, ClientAuthentication::basic});
  EXPECT_EQ(value.size(), 6 + (8 + 3 * secret.size() + 2) / 3 * 4);
  EXPECT_EQ(value.find('\n'), std::string::npos);
  EXPECT_EQ(authorization({"gateway", secret, ClientAuthentication::basic_raw}).size(), 6U + (8 + 4096 + 2) / 3 * 4);
  EXPECT_EQ(parameters({"gateway", secret, ClientAuthentication::post}).size(), 33 + 3 * secret.size());
}

TEST(ClientAuthentication, HasTheNamesOfItsDirective) {
  EXPECT_EQ(name(ClientAuthentication::basic), "basic");
  EXPECT_EQ(name(ClientAuthentication::basic_raw), "basic_raw");
  EXPECT_EQ(name(ClientAuthentication::post), "post");
  EXPECT_EQ(name(ClientAuthentication::client_secret_jwt), "client_secret_jwt");
  EXPECT_EQ(name(ClientAuthentication::private_key_jwt), "private_key_jwt");
  EXPECT_EQ(name(ClientAuthentication::none), "none");
  EXPECT_EQ(ClientCredentials().method, ClientAuthentication::basic);
}

TEST(ClientAuthentication, IsRefusedWithoutMemory) {
  for (const ClientAuthentication method : {ClientAuthentication::basic, ClientAuthentication::basic_raw}) {
    expect_refusal_without_memory([method](Memory &memory) {
      std::string_view value;
      return write_basic_authorization({"gateway", "secret", method}, memory, value);
    });
  }
}

}  // namespace
}  // namespace oauth
