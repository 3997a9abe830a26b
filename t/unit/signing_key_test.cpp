#include "jose/signing_key.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <string>
#include <string_view>

#include "test_keys.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

using Sink = std::unique_ptr<BIO, Release<BIO_free>>;

std::string text_of(const Sink &sink) {
  char *text = nullptr;
  const long size = BIO_get_mem_data(sink.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

/// @param passphrase nullptr: not encrypted.
std::string pem_of(const PrivateKey &key, const char *passphrase = nullptr) {
  const Sink sink(BIO_new(BIO_s_mem()));
  const EVP_CIPHER *cipher = passphrase == nullptr ? nullptr : EVP_aes_128_cbc();
  EXPECT_EQ(PEM_write_bio_PKCS8PrivateKey(sink.get(), key.get(), cipher, passphrase, passphrase == nullptr ? 0 : 6,
                                          nullptr, nullptr),
            1);
  return text_of(sink);
}

/// The older forms: "RSA PRIVATE KEY", "EC PRIVATE KEY".
std::string old_pem_of(const PrivateKey &key, const char *passphrase = nullptr) {
  const Sink sink(BIO_new(BIO_s_mem()));
  const EVP_CIPHER *cipher = passphrase == nullptr ? nullptr : EVP_aes_128_cbc();
  EXPECT_EQ(PEM_write_bio_PrivateKey_traditional(sink.get(), key.get(), cipher,
                                                 reinterpret_cast<const unsigned char *>(passphrase),
                                                 passphrase == nullptr ? 0 : 6, nullptr, nullptr),
            1);
  return text_of(sink);
}

std::string public_pem_of(const PrivateKey &key) {
  const Sink sink(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_PUBKEY(sink.get(), key.get()), 1);
  return text_of(sink);
}

struct Read {
  KeyReading reading;
  KeyKind kind;
  std::string algorithm;  ///< the default one
};

Read read(const std::string &pem) {
  SigningKey key;
  const KeyReading reading = read_signing_key(pem, key);
  EXPECT_EQ(ERR_peek_error(), 0U) << "nginx would log it against the next TLS connection";
  EXPECT_EQ(key.key != nullptr, reading == KeyReading::good);
  Read result = {reading, key.kind, std::string(name(default_algorithm(key)))};
  if (reading == KeyReading::good) {
    EXPECT_TRUE(fits(default_algorithm(key), key.kind));
  }
  free_signing_key(key);
  EXPECT_EQ(key.key, nullptr);
  return result;
}

void expect_good(const std::string &pem, KeyKind kind, std::string_view algorithm) {
  const Read result = read(pem);
  EXPECT_EQ(result.reading, KeyReading::good) << pem.substr(0, 40);
  EXPECT_EQ(result.kind, kind);
  EXPECT_EQ(result.algorithm, algorithm);
}

TEST(SigningKey, HasTheAlgorithmThatFollowsFromIt) {
  expect_good(pem_of(make_ec_key("P-256")), KeyKind::p256, "ES256");
  expect_good(pem_of(make_ec_key("P-384")), KeyKind::p384, "ES384");
  expect_good(pem_of(make_ec_key("P-521")), KeyKind::p521, "ES512");
  expect_good(pem_of(make_edwards_key("ED25519")), KeyKind::ed25519, "EdDSA");
  expect_good(pem_of(make_rsa_key(2048)), KeyKind::rsa, "RS256");
}

TEST(SigningKey, MayBeInAnOlderForm) {
  expect_good(old_pem_of(make_ec_key("P-256")), KeyKind::p256, "ES256");
  expect_good(old_pem_of(make_rsa_key(2048)), KeyKind::rsa, "RS256");
  // As `openssl ecparam -genkey` writes it.
  expect_good("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" +
                  old_pem_of(make_ec_key("P-256")),
              KeyKind::p256, "ES256");
  expect_good("text before it\n" + pem_of(make_ec_key("P-256")), KeyKind::p256, "ES256");
}

TEST(SigningKey, MustBeAPrivateKeyInPem) {
  const std::string pem = pem_of(make_ec_key("P-256"));
  std::string broken = pem;
  broken.replace(40, 4, "AAAA");
  for (const std::string &text :
       {std::string(), std::string("secret\n"), pem.substr(0, pem.size() / 2), broken, std::string(100, '\0'),
        public_pem_of(make_ec_key("P-256")), "\xFF\xFE" + std::string("-----BEGIN"),
        std::string("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
        std::string("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}) {
    EXPECT_EQ(read(text).reading, KeyReading::no_key) << text;
  }
}

TEST(SigningKey, MustNotBeEncrypted) {
  EXPECT_EQ(read(pem_of(make_ec_key("P-256"), "secret")).reading, KeyReading::encrypted);
  EXPECT_EQ(read(old_pem_of(make_rsa_key(2048), "secret")).reading, KeyReading::encrypted);
}

TEST(SigningKey, MustBeOfAKindThatSigns) {
  for (const PrivateKey &key :
       {make_ec_key("secp256k1"), make_ec_key("P-224"), make_edwards_key("ED448"), make_edwards_key("X25519")}) {
    EXPECT_EQ(read(pem_of(key)).reading, KeyReading::other_kind);
  }
}

TEST(SigningKey, MustNotBeWeak) {
  EXPECT_EQ(read(pem_of(make_rsa_key(1024))).reading, KeyReading::weak);
  EXPECT_EQ(read(pem_of(make_rsa_key(2047))).reading, KeyReading::weak);
}

TEST(SigningKey, IsRefusedWithoutMemory) {
  const std::string pem = pem_of(make_edwards_key("ED25519"));
  ASSERT_EQ(read(pem).reading, KeyReading::good);
  ASSERT_TRUE(openssl_can_fail);
  for (int allowed = 0; allowed < 100; allowed++) {
    SigningKey key;
    allocations_left = allowed;
    const KeyReading reading = read_signing_key(pem, key);
    allocations_left = never;
    EXPECT_NE(reading, KeyReading::good);
    EXPECT_EQ(key.key, nullptr);
    EXPECT_EQ(ERR_peek_error(), 0U) << "after " << allowed << " allocations";
    if (allowed == 0) {
      EXPECT_EQ(reading, KeyReading::no_memory);
    }
  }
}

}  // namespace
}  // namespace jose
