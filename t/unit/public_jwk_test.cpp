#include "jose/public_jwk.h"

#include <gtest/gtest.h>
#include <jansson.h>

#include <string>
#include <string_view>

#include "jose/json_text.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

std::string thumbprint_of(const SigningKey &key) {
  TestMemory memory;
  char thumbprint[thumbprint_size];
  EXPECT_TRUE(make_thumbprint(key, memory, thumbprint));
  return std::string(thumbprint, sizeof(thumbprint));
}

std::string thumbprint_of(const char *jwk) {
  json_t *json = json_loads(jwk, 0, nullptr);
  PublicKey key;
  EXPECT_EQ(import_public_key(jwk_members(json), key), Import::good);
  const std::string thumbprint = thumbprint_of(SigningKey{key.key, key.kind});
  free_public_key(key);
  json_decref(json);
  return thumbprint;
}

TEST(Thumbprint, OfTheExampleInRfc7638) {
  EXPECT_EQ(thumbprint_of(R"({"kty":"RSA","e":"AQAB","alg":"RS256","kid":"2011-04-29","n":)"
                          R"("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_)"
                          R"(BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_)"
                          R"(FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4)"
                          R"(vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"})"),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(Thumbprint, OfTheExampleInRfc8037) {
  EXPECT_EQ(thumbprint_of(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

struct Case {
  PrivateKey key;
  KeyKind kind;
  const char *algorithm;
};

/// The JWK's reader, which others have tested, gets the same key out of it.
TEST(PublicJwk, IsReadAsTheSameKey) {
  const Case cases[] = {{make_ec_key("P-256"), KeyKind::p256, "ES256"},
                        {make_ec_key("P-384"), KeyKind::p384, "ES384"},
                        {make_ec_key("P-521"), KeyKind::p521, "ES512"},
                        {make_edwards_key("ED25519"), KeyKind::ed25519, "EdDSA"},
                        {make_rsa_key(2048), KeyKind::rsa, "PS256"}};
  for (const Case &test : cases) {
    TestMemory memory;
    std::string_view jwk;
    ASSERT_TRUE(
        make_public_jwk({test.key.get(), test.kind}, *find_signature_algorithm(test.algorithm), "a\"kid", memory, jwk));
    json_t *json = json_loadb(jwk.data(), jwk.size(), JSON_REJECT_DUPLICATES, nullptr);
    ASSERT_NE(json, nullptr) << jwk;
    PublicKey key;
    ASSERT_EQ(import_public_key(jwk_members(json), key), Import::good) << jwk;
    EXPECT_EQ(EVP_PKEY_eq(key.key, test.key.get()), 1) << jwk;
    EXPECT_STREQ(json_string_value(json_object_get(json, "alg")), test.algorithm);
    EXPECT_STREQ(json_string_value(json_object_get(json, "use")), "sig");
    EXPECT_STREQ(json_string_value(json_object_get(json, "kid")), "a\"kid");
    EXPECT_EQ(json_object_get(json, "d"), nullptr);
    EXPECT_EQ(json_object_get(json, "p"), nullptr);
    EXPECT_EQ(thumbprint_of(SigningKey{key.key, key.kind}), thumbprint_of(SigningKey{test.key.get(), test.kind}));
    free_public_key(key);
    json_decref(json);
  }
}

/// RFC 7518 section 6.2.1.2: a coordinate has its full size, zeros before it included. One key in 256 has one.
TEST(PublicJwk, HasCoordinatesOfTheirFullSize) {
  for (int i = 0; i < 600; ++i) {
    const PrivateKey key = make_ec_key("P-256");
    TestMemory memory;
    std::string_view jwk;
    ASSERT_TRUE(make_public_jwk({key.get(), KeyKind::p256}, *find_signature_algorithm("ES256"), "k", memory, jwk));
    const std::size_t x = jwk.find(R"("x":")");
    const std::size_t y = jwk.find(R"("y":")");
    ASSERT_EQ(jwk.substr(x + 5).find('"'), 43U) << jwk;
    ASSERT_EQ(jwk.substr(y + 5).find('"'), 43U) << jwk;
  }
}

TEST(PublicJwk, IsRefusedWithoutMemory) {
  const PrivateKey key = make_ec_key("P-256");
  const SigningKey signing_key = {key.get(), KeyKind::p256};
  expect_refusal_without_memory([&](Memory &memory) {
    std::string_view jwk;
    return make_public_jwk(signing_key, *find_signature_algorithm("ES256"), "k", memory, jwk);
  });
  expect_refusal_without_memory([&](Memory &memory) {
    char thumbprint[thumbprint_size];
    return make_thumbprint(signing_key, memory, thumbprint);
  });
}

}  // namespace
}  // namespace jose
