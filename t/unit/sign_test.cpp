#include "jose/sign.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "jose/base64url.h"
#include "jose/random_id.h"
#include "jose/signature.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

std::string decode(std::string_view text) {
  std::string bytes(base64url_decoded_size(text.size()), '\0');
  EXPECT_TRUE(base64url_decode(text, bytes.data())) << text;
  return bytes;
}

std::string make_jws(const Signer &signer, std::string_view header, std::string_view payload) {
  TestMemory memory;
  std::string_view jws;
  EXPECT_TRUE(make_compact_jws(signer, header, payload, memory, jws));
  EXPECT_EQ(ERR_peek_error(), 0U) << "nginx would log it against the next TLS connection";
  return std::string(jws);
}

Signer signer_of(const PrivateKey &key, std::string_view algorithm) {
  return {find_signature_algorithm(algorithm), key.get(), {}};
}

/// @return what our own verifier says of it, by the public key alone.
Verification verification_of(const std::string &jws, const std::string &jwk) {
  const KeySetResult set = parse_key_set(jwks({jwk}));
  EXPECT_NE(set.keys, nullptr) << set.problem;
  TestMemory memory;
  Jwt jwt;
  const char *problem = nullptr;
  const bool is_jwt = parse_jwt(jws, memory, jwt, problem);
  EXPECT_TRUE(is_jwt) << problem;
  const Verification verification = is_jwt ? verify_signature(*set.keys, jwt).verification : Verification::bad;
  free_key_set(set.keys);
  return verification;
}

TEST(Sign, MakesTheJwsOfRfc7515AppendixA1) {
  const std::string secret =
      decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  EXPECT_EQ(make_jws({nullptr, nullptr, secret}, "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
                     "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

TEST(Sign, MakesTheJwsOfRfc8037AppendixA4) {
  const std::string d = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
  const PrivateKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                                    reinterpret_cast<const unsigned char *>(d.data()), d.size()));
  EXPECT_EQ(make_jws(signer_of(key, "EdDSA"), R"({"alg":"EdDSA"})", "Example of Ed25519 signing"),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

void expect_verified(const PrivateKey &key, const std::string &jwk, std::string_view algorithm, std::size_t size) {
  const Signer signer = signer_of(key, algorithm);
  EXPECT_EQ(algorithm_name(signer), algorithm);
  const std::string jws = make_jws(signer, R"({"alg":")" + std::string(algorithm) + "\"}", R"({"iss":"gateway"})");
  EXPECT_EQ(decode(jws.substr(jws.rfind('.') + 1)).size(), size) << algorithm;
  EXPECT_EQ(verification_of(jws, jwk), Verification::good) << algorithm;
  const std::string other = make_jws(signer, R"({"alg":")" + std::string(algorithm) + "\"}", R"({"iss":"mallory"})");
  EXPECT_EQ(verification_of(jws.substr(0, jws.rfind('.')) + other.substr(other.rfind('.')), jwk), Verification::bad)
      << algorithm;
}

TEST(Sign, MakesWhatTheVerifierFindsGood) {
  const PrivateKey rsa = make_rsa_key(2048);
  for (const std::string_view algorithm : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}) {
    expect_verified(rsa, jwk_of_rsa(rsa), algorithm, 256);
  }
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  expect_verified(ed25519, jwk_of_edwards(ed25519, "Ed25519"), "EdDSA", 64);
  expect_verified(ed25519, jwk_of_edwards(ed25519, "Ed25519"), "Ed25519", 64);
  // Numbers with zeros at their beginning come up once in 256 times.
  for (int i = 0; i < 64; i++) {
    const PrivateKey p256 = make_ec_key("P-256");
    expect_verified(p256, jwk_of_ec(p256, "P-256"), "ES256", 64);
  }
  const PrivateKey p384 = make_ec_key("P-384");
  expect_verified(p384, jwk_of_ec(p384, "P-384"), "ES384", 96);
  for (int i = 0; i < 8; i++) {
    const PrivateKey p521 = make_ec_key("P-521");
    expect_verified(p521, jwk_of_ec(p521, "P-521"), "ES512", 132);
  }
}

TEST(Sign, HasRoomForTheLargestKey) {
  const PrivateKey rsa = make_rsa_key(4096);
  expect_verified(rsa, jwk_of_rsa(rsa), "PS512", 512);
}

TEST(Sign, PadsTheNumbersOfEcdsa) {
  const PrivateKey key = make_ec_key("P-256");
  bool has_padded = false;
  for (int i = 0; i < 20000 && !has_padded; i++) {
    char signature[largest_signature];
    std::size_t size = 0;
    const SignatureAlgorithm &algorithm = *find_signature_algorithm("ES256");
    ASSERT_TRUE(sign(algorithm, *key, "text", signature, size));
    ASSERT_EQ(size, 64U);
    has_padded = signature[0] == 0 || signature[32] == 0;
    if (has_padded) {
      EXPECT_EQ(verify(algorithm, {key.get(), KeyKind::p256}, "text", {signature, size}), Match::good);
    }
  }
  EXPECT_TRUE(has_padded);
}

TEST(Sign, IsRefusedWithoutMemory) {
  expect_refusal_without_memory([](Memory &memory) {
    std::string_view jws;
    return make_compact_jws({nullptr, nullptr, "secret"}, "{}", "{}", memory, jws);
  });
}

void expect_lack_of_memory(const Signer &signer) {
  const int failures = count_failures_without_memory([&signer] {
    TestMemory memory;
    std::string_view jws;
    return make_compact_jws(signer, "{}", "{}", memory, jws);
  });
  EXPECT_GT(failures, 1) << algorithm_name(signer);
}

TEST(Sign, FailsWithAnEmptyErrorQueueWhereOpensslHasNoMemory) {
  const PrivateKey rsa = make_rsa_key(2048);
  const PrivateKey ec = make_ec_key("P-256");
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  expect_lack_of_memory({nullptr, nullptr, "secret"});
  expect_lack_of_memory(signer_of(rsa, "RS256"));
  expect_lack_of_memory(signer_of(rsa, "PS256"));
  expect_lack_of_memory(signer_of(ec, "ES256"));
  expect_lack_of_memory(signer_of(ed25519, "EdDSA"));
}

TEST(RandomId, IsAnotherOneEachTime) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; i++) {
    std::string id(random_id_size, '?');
    ASSERT_TRUE(make_random_id(id.data()));
    EXPECT_EQ(decode(id).size(), 16U);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000U);
}

}  // namespace
}  // namespace jose
