#include "signing_key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <memory>
#include <utility>

#include "openssl.h"

namespace jose {
namespace {

constexpr int smallest_rsa_bits = 2048;
constexpr int largest_rsa_bits = 16384;

using Source = std::unique_ptr<BIO, Release<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

/// OpenSSL asks for the passphrase of an encrypted key: there is none.
int refuse_passphrase(char * /*buffer*/, int /*size*/, int /*writing*/, void *was_asked) noexcept {
  *static_cast<bool *>(was_asked) = true;
  return -1;
}

struct Curve {
  std::string_view name;  ///< OpenSSL's
  KeyKind kind;
};

constexpr Curve curves[] = {{"prime256v1", KeyKind::p256}, {"secp384r1", KeyKind::p384}, {"secp521r1", KeyKind::p521}};

KeyReading find_curve(const EVP_PKEY *key, KeyKind &kind) noexcept {
  char name[64];
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name, sizeof(name), &size) != 1) {
    return KeyReading::other_kind;  // a curve without a name
  }
  const Curve *found = std::find_if(std::begin(curves), std::end(curves), [&](const Curve &curve) noexcept {
    return curve.name == std::string_view(name, size);
  });
  if (found == std::end(curves)) {
    return KeyReading::other_kind;
  }
  kind = found->kind;
  return KeyReading::good;
}

KeyReading find_kind(const EVP_PKEY *key, KeyKind &kind) noexcept {
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    return find_curve(key, kind);
  }
  if (EVP_PKEY_is_a(key, "ED25519") == 1) {
    kind = KeyKind::ed25519;
    return KeyReading::good;
  }
  if (EVP_PKEY_is_a(key, "RSA") != 1) {
    return KeyReading::other_kind;
  }
  kind = KeyKind::rsa;
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < smallest_rsa_bits) {
    return KeyReading::weak;
  }
  return bits > largest_rsa_bits ? KeyReading::too_large : KeyReading::good;
}

}  // namespace

KeyReading read_signing_key(std::string_view pem, SigningKey &key) noexcept {
  if (pem.size() > INT_MAX) {
    return KeyReading::no_key;
  }
  const Source source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (source == nullptr) {
    (void)take_openssl_error();
    return KeyReading::no_memory;
  }
  bool is_encrypted = false;
  Key found(PEM_read_bio_PrivateKey(source.get(), nullptr, refuse_passphrase, &is_encrypted));
  // OpenSSL says something of every key that it refuses: where it says nothing, there was no memory. Its decoders do
  // not always look why one of them has failed.
  const OpensslError error = take_openssl_error();
  if (found == nullptr) {
    if (error != OpensslError::other) {
      return KeyReading::no_memory;
    }
    return is_encrypted ? KeyReading::encrypted : KeyReading::no_key;
  }
  const KeyReading reading = find_kind(found.get(), key.kind);
  (void)take_openssl_error();
  if (reading == KeyReading::good) {
    key.key = found.release();
  }
  return reading;
}

void free_signing_key(SigningKey &key) noexcept {
  EVP_PKEY_free(std::exchange(key.key, nullptr));
}

const SignatureAlgorithm &default_algorithm(const SigningKey &key) noexcept {
  switch (key.kind) {
    case KeyKind::p256:
      return *find_signature_algorithm("ES256");
    case KeyKind::p384:
      return *find_signature_algorithm("ES384");
    case KeyKind::p521:
      return *find_signature_algorithm("ES512");
    case KeyKind::ed25519:
    case KeyKind::ed448:
      return *find_signature_algorithm("EdDSA");
    case KeyKind::rsa:
      break;
  }
  return *find_signature_algorithm("RS256");
}

}  // namespace jose
