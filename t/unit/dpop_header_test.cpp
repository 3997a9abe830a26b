#include "oauth/dpop_header.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "jose/jwt.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_openssl_memory.h"

namespace oauth {
namespace {

using namespace jose;

std::string make_header(const std::string &alg, const std::string &jwk, const std::string &more = "") {
  return base64url(R"({"typ":"dpop+jwt","alg":")" + alg + R"(","jwk":)" + jwk + more + "}");
}

/// Any bytes are a key of Ed25519 for OpenSSL, which imports them quickly.
std::string make_edwards_header(unsigned number) {
  std::string bytes(32, 'k');
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[i] = static_cast<char>(number >> 8 * i);
  }
  return make_header("EdDSA", R"({"kty":"OKP","crv":"Ed25519","x":")" + base64url(bytes) + R"("})");
}

/// @return nullptr, or what is wrong with it.
const char *find(std::string_view encoded, const DpopHeader *&header) {
  TestMemory memory;
  const Verdict verdict = find_dpop_header(encoded, memory, header);
  EXPECT_EQ(verdict.outcome == Outcome::active, verdict.problem == nullptr);
  EXPECT_NE(verdict.outcome, Outcome::internal_error);
  EXPECT_EQ(ERR_peek_error(), 0U);
  return verdict.problem;
}

/// Whether a header is found although there is no memory to read one.
bool is_kept(std::string_view encoded) {
  TestMemory none(0);
  const DpopHeader *header = nullptr;
  return find_dpop_header(encoded, none, header).outcome == Outcome::active;
}

class DpopHeaders : public ::testing::Test {
 protected:
  DpopHeaders() { forget_dpop_headers(); }
  ~DpopHeaders() override { forget_dpop_headers(); }
  DpopHeaders(const DpopHeaders &) = delete;
  DpopHeaders &operator=(const DpopHeaders &) = delete;
};

TEST_F(DpopHeaders, AreReadOnce) {
  const PrivateKey key = make_ec_key("P-256");
  const std::string jwk = jwk_of_ec(key, "P-256");
  const std::string encoded = make_header("ES256", jwk);
  const DpopHeader *header = nullptr;
  EXPECT_FALSE(is_kept(encoded));
  ASSERT_STREQ(find(encoded, header), nullptr);
  EXPECT_EQ(name(*header->algorithm), "ES256");
  EXPECT_EQ(header->key.kind, KeyKind::p256);
  EXPECT_EQ(EVP_PKEY_eq(header->key.key, key.get()), 1);
  std::string thumbprint(thumbprint_size, '?');
  ASSERT_TRUE(
      make_thumbprint(R"({"crv":"P-256",)" + jwk.substr(1, 11) + jwk.substr(jwk.find(R"("x")")), thumbprint.data()));
  EXPECT_EQ(std::string_view(header->thumbprint, thumbprint_size), thumbprint);
  EXPECT_TRUE(is_kept(encoded));
  EXPECT_FALSE(is_kept(make_header("ES256", jwk, R"(,"kid":"1")")));
  EXPECT_FALSE(is_kept(encoded.substr(1)));
  EXPECT_FALSE(is_kept(""));
  forget_dpop_headers();
  EXPECT_FALSE(is_kept(encoded));
}

// There are more of them than places, so that each place has had several.
TEST_F(DpopHeaders, MakeRoomForLaterOnesAndAreNeverMistaken) {
  constexpr unsigned many = 2000;
  std::vector<std::string> encoded;
  const DpopHeader *header = nullptr;
  for (unsigned i = 0; i < many; ++i) {
    encoded.push_back(make_edwards_header(i));
    ASSERT_STREQ(find(encoded.back(), header), nullptr);
    EXPECT_TRUE(is_kept(encoded.back())) << i;
  }
  unsigned kept = 0;
  for (unsigned i = 0; i < many; ++i) {
    kept += is_kept(encoded[i]) ? 1 : 0;
    ASSERT_STREQ(find(encoded[i], header), nullptr);
    unsigned char bytes[32];
    std::size_t size = sizeof(bytes);
    ASSERT_EQ(EVP_PKEY_get_raw_public_key(header->key.key, bytes, &size), 1);
    EXPECT_EQ(bytes[0] | bytes[1] << 8U, static_cast<int>(i)) << "the key of another header";
  }
  EXPECT_GT(kept, 0U);
  EXPECT_LE(kept, 256U);
}

TEST_F(DpopHeaders, AreNotKeptWhereTheyAreRefused) {
  const PrivateKey p256 = make_ec_key("P-256");
  const PrivateKey weak = make_rsa_key(1024);
  const PrivateKey rsa = make_rsa_key(2048);
  const std::string good = make_header("ES256", jwk_of_ec(p256, "P-256"));
  const DpopHeader *header = nullptr;
  ASSERT_STREQ(find(good, header), nullptr);
  constexpr const char *unusable = "the key in its header is broken, too weak, or of a curve that signs nothing";
  constexpr const char *unfit = "the key in its header does not fit its alg";
  const struct {
    std::string encoded;
    const char *problem;
  } cases[] = {
      {make_header("RS256", jwk_of_rsa(weak)), unusable},
      {make_header("ES256", R"({"kty":"EC","crv":"P-256","x":"eA","y":"eQ"})"), unusable},
      {make_header("ES256", R"({"kty":"EC","crv":"P-256"})"), unusable},
      {make_header("ES256", R"({"kty":"EC","crv":"secp256k1","x":"eA","y":"eQ"})"), unusable},
      {make_header("EdDSA", R"({"kty":"OKP","crv":"X25519","x":"eA"})"), unusable},
      {make_header("ES384", jwk_of_ec(p256, "P-256")), unfit},
      {make_header("RS256", jwk_of_ec(p256, "P-256")), unfit},
      {make_header("ES256", jwk_of_rsa(rsa)), unfit},
      {make_header("none", jwk_of_rsa(rsa)), jwt_is_not_signed},
      {make_header("", jwk_of_rsa(rsa)), jwt_is_not_signed},
  };
  for (const auto &test : cases) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_STREQ(find(test.encoded, header), test.problem);
      EXPECT_FALSE(is_kept(test.encoded));
    }
  }
  for (unsigned i = 0; i < 1000; ++i) {
    EXPECT_STREQ(
        find(make_header("EdDSA", R"({"kty":"OKP","crv":"Ed25519","x":")" + std::to_string(i) + R"("})"), header),
        unusable);
  }
  EXPECT_TRUE(is_kept(good)) << "none of them has driven it out";
}

TEST_F(DpopHeaders, AreRefusedWithoutMemory) {
  const std::string encoded = make_edwards_header(1);
  expect_refusal_without_memory([&encoded](Memory &memory) {
    forget_dpop_headers();
    const DpopHeader *header = nullptr;
    return find_dpop_header(encoded, memory, header).outcome == Outcome::active;
  });
}

// A key that is made while memory is short must not be kept: one of size 0 refuses whatever its owner signs.
TEST_F(DpopHeaders, AreNotSpoiltWhereOpensslHasNoMemory) {
  const PrivateKey p256 = make_ec_key("P-256");
  const PrivateKey rsa = make_rsa_key(2048);
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  for (const std::string &encoded :
       {make_header("ES256", jwk_of_ec(p256, "P-256")), make_header("PS256", jwk_of_rsa(rsa)),
        make_header("EdDSA", jwk_of_edwards(ed25519, "Ed25519"))}) {
    const int failures = count_failures_without_memory([&encoded] {
      forget_dpop_headers();
      TestMemory memory;
      const DpopHeader *header = nullptr;
      const bool succeeded = find_dpop_header(encoded, memory, header).outcome == Outcome::active;
      EXPECT_EQ(is_kept(encoded), succeeded);
      EXPECT_TRUE(!succeeded || EVP_PKEY_get_size(header->key.key) > 0);
      return succeeded;
    });
    EXPECT_GT(failures, 0);
  }
}

}  // namespace
}  // namespace oauth
