#include "jose/known_keys.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <string>
#include <string_view>
#include <vector>

#include "jose/thumbprint.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

/// An Ed25519 key of these bytes: OpenSSL takes any, and imports them quickly.
struct Jwk {
  explicit Jwk(std::string_view bytes) : x(base64url(bytes)) { describe(); }
  Jwk(const Jwk &other) : x(other.x), thumbprint(other.thumbprint) { members = {"OKP", "Ed25519", x, {}, {}, {}}; }
  Jwk &operator=(const Jwk &) = delete;

  void describe() {
    members = {"OKP", "Ed25519", x, {}, {}, {}};
    TestMemory memory;
    thumbprint.assign(thumbprint_size, '?');
    EXPECT_TRUE(make_thumbprint(members, memory, thumbprint.data()));
  }

  std::string x;
  JwkMembers members;
  std::string thumbprint;
};

Jwk make_key(unsigned number) {
  std::string bytes(32, 'k');
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[i] = static_cast<char>(number >> 8 * i);
  }
  return Jwk(bytes);
}

std::string raw(const PublicKey *key) {
  std::string bytes(32, '\0');
  std::size_t size = bytes.size();
  EXPECT_EQ(EVP_PKEY_get_raw_public_key(key->key, reinterpret_cast<unsigned char *>(bytes.data()), &size), 1);
  return base64url(bytes);
}

const PublicKey *find(const Jwk &jwk) {
  const PublicKey *key = nullptr;
  EXPECT_EQ(find_or_import(jwk.members, jwk.thumbprint, key), Import::good);
  EXPECT_EQ(raw(key), jwk.x);
  EXPECT_EQ(key->kind, KeyKind::ed25519);
  return key;
}

class KnownKeys : public ::testing::Test {
 protected:
  KnownKeys() { forget_known_keys(); }
  ~KnownKeys() override { forget_known_keys(); }
  KnownKeys(const KnownKeys &) = delete;
  KnownKeys &operator=(const KnownKeys &) = delete;
};

/// Whether a key is found although OpenSSL has no memory to import it.
bool is_known(const Jwk &jwk) {
  const PublicKey *key = nullptr;
  allocations_left = 0;
  const Import result = find_or_import(jwk.members, jwk.thumbprint, key);
  allocations_left = never;
  return result == Import::good && raw(key) == jwk.x;
}

TEST_F(KnownKeys, AreImportedOnce) {
  const Jwk jwk = make_key(1);
  EXPECT_FALSE(is_known(jwk));
  const EVP_PKEY *imported = find(jwk)->key;
  EXPECT_EQ(find(jwk)->key, imported);
  EXPECT_TRUE(is_known(jwk));
  forget_known_keys();
  EXPECT_FALSE(is_known(jwk));
}

// There are more keys than places, so that each place has had several.
TEST_F(KnownKeys, MakeRoomForLaterOnesAndAreNeverMistaken) {
  constexpr unsigned many = 3000;
  std::vector<Jwk> keys;
  for (unsigned i = 0; i < many; ++i) {
    keys.push_back(make_key(i));
    find(keys.back());
    EXPECT_TRUE(is_known(keys.back())) << i;
  }
  unsigned known = 0;
  for (const Jwk &jwk : keys) {
    known += is_known(jwk) ? 1 : 0;
  }
  EXPECT_GT(known, 256U);
  EXPECT_LE(known, 512U);
  for (const Jwk &jwk : keys) {
    find(jwk);
  }
}

TEST_F(KnownKeys, AreNotBrokenOnes) {
  const Jwk broken("too short");
  const Jwk good = make_key(7);
  const PublicKey *key = nullptr;
  EXPECT_EQ(find_or_import(broken.members, broken.thumbprint, key), Import::broken);
  EXPECT_EQ(key, nullptr);
  // In the place of a good one, a broken key drives nothing out and is not taken for it.
  find(good);
  EXPECT_EQ(find_or_import(broken.members, good.thumbprint, key), Import::good) << "the thumbprint decides";
  EXPECT_EQ(find_or_import({"oct", {}, {}, {}, {}, {}}, broken.thumbprint, key), Import::other_kind);
  for (unsigned i = 0; i < 2000; ++i) {
    const Jwk other(std::to_string(i));
    EXPECT_EQ(find_or_import(other.members, other.thumbprint, key), Import::broken);
  }
  EXPECT_TRUE(is_known(good));
}

TEST_F(KnownKeys, AreNotKeptWithoutMemory) {
  const PrivateKey key = make_ec_key("P-256");
  const std::string x = base64url(number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, 32));
  const std::string y = base64url(number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32));
  const JwkMembers jwk = {"EC", "P-256", x, y, {}, {}};
  const std::string thumbprint(thumbprint_size, 't');
  const int failures = count_failures_without_memory([&] {
    forget_known_keys();
    const PublicKey *found = nullptr;
    const Import result = find_or_import(jwk, thumbprint, found);
    EXPECT_TRUE(result == Import::good || result == Import::no_memory);
    EXPECT_EQ(result == Import::good, found != nullptr);
    return result == Import::good;
  });
  EXPECT_GT(failures, 0);
}

}  // namespace
}  // namespace jose
