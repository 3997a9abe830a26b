#include "jose/embedded_key.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "jose/known_keys.h"
#include "jose/thumbprint.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

constexpr const char *no_jwk = "its header has no jwk";
constexpr const char *private_member = "the jwk in its header has a private member";
constexpr const char *no_public_key = "the jwk in its header is no public key";

struct Parsed {
  explicit Parsed(const std::string &text) : compact(text) {
    const char *problem = nullptr;
    EXPECT_TRUE(parse_jwt(compact, memory, jwt, problem)) << problem;
  }

  TestMemory memory;
  std::string compact;
  Jwt jwt;
};

const char *read(std::string_view jwk, JwkMembers &members) {
  const std::string member = jwk.empty() ? "" : R"(,"jwk":)" + std::string(jwk);
  const Parsed parsed(make_jwt(R"({"alg":"ES256")" + member + "}", "{}"));
  return read_embedded_key(parsed.jwt, members);
}

TEST(EmbeddedKey, IsReadFromTheHeader) {
  const Parsed parsed(
      make_jwt(R"({"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"X","y":"Y","n":"N","e":"E","kid":"1"}})", "{}"));
  JwkMembers jwk;
  EXPECT_STREQ(read_embedded_key(parsed.jwt, jwk), nullptr);
  EXPECT_EQ(jwk.kty, "EC");
  EXPECT_EQ(jwk.crv, "P-256");
  EXPECT_EQ(jwk.x, "X");
  EXPECT_EQ(jwk.y, "Y");
  EXPECT_EQ(jwk.n, "N");
  EXPECT_EQ(jwk.e, "E");
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
    JwkMembers jwk;
    EXPECT_STREQ(read(test.jwk, jwk), test.problem) << test.jwk;
  }
}

TEST(EmbeddedKey, HasNoMemberThatIsNoString) {
  JwkMembers jwk;
  EXPECT_STREQ(read(R"({"kty":"EC","crv":1,"x":["X"],"y":{"a":"Y"},"n":true,"e":null})", jwk), nullptr);
  for (const std::string_view member : {jwk.crv, jwk.x, jwk.y, jwk.n, jwk.e}) {
    EXPECT_TRUE(member.empty());
  }
}

VerificationResult verify(const Parsed &parsed) {
  JwkMembers jwk;
  TestMemory memory;
  char thumbprint[thumbprint_size];
  EXPECT_STREQ(read_embedded_key(parsed.jwt, jwk), nullptr);
  EXPECT_TRUE(make_thumbprint(jwk, memory, thumbprint));
  const SignatureAlgorithm *algorithm = find_signature_algorithm(parsed.jwt.header->member("alg")->text);
  return verify_by_embedded_key(parsed.jwt, *algorithm, jwk, {thumbprint, sizeof(thumbprint)});
}

/// @param signing as whom to sign, whatever the header says.
std::string sign(const PrivateKey &key, const std::string &alg, const std::string &jwk, const char *signing = nullptr) {
  return sign_jwt(key, signing_of(signing == nullptr ? alg : signing), R"({"alg":")" + alg + R"(","jwk":)" + jwk + "}");
}

TEST(EmbeddedKey, VerifiesWhatItHasSigned) {
  const PrivateKey p256 = make_ec_key("P-256");
  const PrivateKey p384 = make_ec_key("P-384");
  const PrivateKey p521 = make_ec_key("P-521");
  const PrivateKey rsa = make_rsa_key(2048);
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  const PrivateKey ed448 = make_edwards_key("ED448");
  for (const std::string &text : {
           sign(p256, "ES256", jwk_of_ec(p256, "P-256")),
           sign(p384, "ES384", jwk_of_ec(p384, "P-384")),
           sign(p521, "ES512", jwk_of_ec(p521, "P-521")),
           sign(rsa, "RS256", jwk_of_rsa(rsa)),
           sign(rsa, "PS512", jwk_of_rsa(rsa)),
           sign(ed25519, "EdDSA", jwk_of_edwards(ed25519, "Ed25519")),
           sign(ed25519, "Ed25519", jwk_of_edwards(ed25519, "Ed25519")),
           sign(ed448, "Ed448", jwk_of_edwards(ed448, "Ed448")),
       }) {
    const Parsed parsed(text);
    for (int i = 0; i < 2; ++i) {  // the second time by the key that is known
      const VerificationResult result = verify(parsed);
      EXPECT_EQ(result.verification, Verification::good) << text << result.problem;
      EXPECT_EQ(result.problem, nullptr);
    }
  }
}

TEST(EmbeddedKey, VerifiesNothingElse) {
  const PrivateKey key = make_ec_key("P-256");
  const PrivateKey other = make_ec_key("P-256");
  const PrivateKey rsa = make_rsa_key(2048);
  const PrivateKey weak = make_rsa_key(1024);
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  const std::string jwk = jwk_of_ec(key, "P-256");
  const std::string good = sign(key, "ES256", jwk);
  constexpr const char *wrong = "its signature is wrong";
  constexpr const char *unfit = "the key in its header does not fit its alg";
  constexpr const char *unusable = "the key in its header is broken, too weak, or of a curve that signs nothing";
  const struct {
    std::string text;
    const char *problem;
  } cases[] = {
      {sign(other, "ES256", jwk), wrong},
      {good.substr(0, good.rfind('.')) + ".c2ln", wrong},
      {good.substr(0, good.rfind('.') + 1) + std::string(86, 'A'), wrong},
      {good.substr(0, good.rfind('.') + 1) + std::string(2732, 'A'), "its signature is longer than that of any key"},
      {sign(key, "RS256", jwk, "ES256"), unfit},
      {sign(key, "ES384", jwk, "ES256"), unfit},
      {sign(rsa, "ES256", jwk_of_rsa(rsa), "RS256"), unfit},
      {sign(ed25519, "Ed448", jwk_of_edwards(ed25519, "Ed25519"), "EdDSA"), unfit},
      {sign(rsa, "PS256", jwk_of_rsa(rsa), "RS256"), wrong},
      {sign(weak, "RS256", jwk_of_rsa(weak)), unusable},
      {sign(key, "ES256", R"({"kty":"EC","crv":"P-256","x":"eA","y":"eQ"})"), unusable},
      {sign(key, "ES256", R"({"kty":"EC","crv":"P-256"})"), unusable},
      {sign(key, "ES256", R"({"kty":"EC","crv":"secp256k1","x":"eA","y":"eQ"})"), unusable},
      {sign(ed25519, "EdDSA", R"({"kty":"OKP","crv":"X25519","x":"eA"})"), unusable},
  };
  for (const auto &test : cases) {
    const VerificationResult result = verify(Parsed(test.text));
    EXPECT_EQ(result.verification, Verification::bad) << test.text;
    EXPECT_STREQ(result.problem, test.problem) << test.text;
  }
}

/// What comes of a JWT while OpenSSL has no memory, from its first allocation to its last.
/// @param may_be_bad whether OpenSSL may call the signature wrong: with RSA and EdDSA it leaves nothing that tells.
void expect_no_good_without_memory(const std::string &text, bool may_be_bad) {
  const Parsed parsed(text);
  JwkMembers jwk;
  ASSERT_STREQ(read_embedded_key(parsed.jwt, jwk), nullptr);
  const SignatureAlgorithm *algorithm = find_signature_algorithm(parsed.jwt.header->member("alg")->text);
  const std::string thumbprint(thumbprint_size, 't');
  int imports = 0;
  const int failures = count_failures_without_memory([&] {
    forget_known_keys();
    const VerificationResult result = verify_by_embedded_key(parsed.jwt, *algorithm, jwk, thumbprint);
    EXPECT_TRUE(may_be_bad || result.verification != Verification::bad) << result.problem;
    const std::string_view problem = result.problem == nullptr ? "" : result.problem;
    imports += problem == "no memory for the key in its header" ? 1 : 0;
    // What is kept of the attempt must not spoil the next one.
    allocations_left = never;
    const Verification next = verify_by_embedded_key(parsed.jwt, *algorithm, jwk, thumbprint).verification;
    EXPECT_EQ(next, Verification::good);
    return result.verification == Verification::good;
  });
  EXPECT_GT(imports, 0);
  EXPECT_GT(failures, imports) << "some fail with the signature";
  forget_known_keys();
}

TEST(EmbeddedKey, IsNotSpoiltWhereOpensslHasNoMemory) {
  const PrivateKey p256 = make_ec_key("P-256");
  const PrivateKey rsa = make_rsa_key(2048);
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  expect_no_good_without_memory(sign(p256, "ES256", jwk_of_ec(p256, "P-256")), false);
  expect_no_good_without_memory(sign(rsa, "PS256", jwk_of_rsa(rsa)), true);
  expect_no_good_without_memory(sign(ed25519, "EdDSA", jwk_of_edwards(ed25519, "Ed25519")), true);
}

}  // namespace
}  // namespace jose
