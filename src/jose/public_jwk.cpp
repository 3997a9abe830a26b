#include "public_jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <memory>

#include "base64url.h"
#include "digest.h"
#include "json_writer.h"
#include "openssl.h"

namespace jose {
namespace {

using Number = std::unique_ptr<BIGNUM, Release<BN_free>>;

constexpr std::size_t largest_number = 2048;  // bytes: the modulus of an RSA key of 16384 bits

/// A number or a string of bytes of the key, as base64url.
class Member {
 public:
  /// @param size bytes, with zeros before the number; 0: as many as it has (RFC 7518 section 2, Base64urlUInt).
  bool read_number(const EVP_PKEY &key, const char *parameter, std::size_t size) noexcept {
    BIGNUM *found = nullptr;
    if (EVP_PKEY_get_bn_param(&key, parameter, &found) != 1) {
      return false;
    }
    const Number number(found);
    unsigned char bytes[largest_number];
    const std::size_t wanted = size == 0 ? static_cast<std::size_t>(BN_num_bytes(number.get())) : size;
    return wanted <= sizeof(bytes) && BN_bn2binpad(number.get(), bytes, static_cast<int>(wanted)) >= 0 &&
           encode(bytes, wanted);
  }

  bool read_raw(const EVP_PKEY &key) noexcept {
    unsigned char bytes[largest_number];
    std::size_t size = sizeof(bytes);
    return EVP_PKEY_get_raw_public_key(&key, bytes, &size) == 1 && encode(bytes, size);
  }

  std::string_view text() const noexcept { return {text_, size_}; }

 private:
  bool encode(const unsigned char *bytes, std::size_t size) noexcept {
    base64url_encode({reinterpret_cast<const char *>(bytes), size}, text_);
    size_ = base64url_encoded_size(size);
    return true;
  }

  char text_[base64url_encoded_size(largest_number)];
  std::size_t size_ = 0;
};

/// What RFC 7638 section 3.2 and RFC 8037 section 2 require of a JWK.
struct RequiredMembers {
  std::string_view type;   ///< `kty`
  std::string_view curve;  ///< `crv`; empty for RSA
  Member first;            ///< `x`, or `e` of RSA
  Member second;           ///< `y`, or `n` of RSA; empty for Ed25519
};

bool read_rsa(const EVP_PKEY &key, RequiredMembers &members) noexcept {
  members.type = "RSA";
  return members.first.read_number(key, OSSL_PKEY_PARAM_RSA_E, 0) &&
         members.second.read_number(key, OSSL_PKEY_PARAM_RSA_N, 0);
}

bool read_ec(const EVP_PKEY &key, std::string_view curve, std::size_t size, RequiredMembers &members) noexcept {
  members.type = "EC";
  members.curve = curve;
  return members.first.read_number(key, OSSL_PKEY_PARAM_EC_PUB_X, size) &&
         members.second.read_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
}

bool read_edwards(const EVP_PKEY &key, std::string_view curve, RequiredMembers &members) noexcept {
  members.type = "OKP";
  members.curve = curve;
  return members.first.read_raw(key);
}

bool read_members(const SigningKey &key, RequiredMembers &members) noexcept {
  switch (key.kind) {
    case KeyKind::p256:
      return read_ec(*key.key, "P-256", 32, members);
    case KeyKind::p384:
      return read_ec(*key.key, "P-384", 48, members);
    case KeyKind::p521:
      return read_ec(*key.key, "P-521", 66, members);
    case KeyKind::ed25519:
      return read_edwards(*key.key, "Ed25519", members);
    case KeyKind::ed448:
      return read_edwards(*key.key, "Ed448", members);
    case KeyKind::rsa:
      break;
  }
  return read_rsa(*key.key, members);
}

void put_member(Writer &writer, std::string_view name, std::string_view value) noexcept {
  writer.put(name);
  put_json_string(writer, value);
}

/// Puts the required members in the order of their names, as the thumbprint wants them.
void put_required(Writer &writer, const RequiredMembers &members) noexcept {
  if (members.curve.empty()) {
    put_member(writer, R"({"e":)", members.first.text());
    put_member(writer, R"(,"kty":)", members.type);
    put_member(writer, R"(,"n":)", members.second.text());
    return;
  }
  put_member(writer, R"({"crv":)", members.curve);
  put_member(writer, R"(,"kty":)", members.type);
  put_member(writer, R"(,"x":)", members.first.text());
  if (!members.second.text().empty()) {
    put_member(writer, R"(,"y":)", members.second.text());
  }
}

/// In `memory`, since a key may be too large for the stack.
RequiredMembers *required_members(const SigningKey &key, Memory &memory) noexcept {
  auto *members = memory.make<RequiredMembers>();
  if (members == nullptr || !read_members(key, *members)) {
    (void)take_openssl_error();
    return nullptr;
  }
  return members;
}

}  // namespace

bool make_thumbprint(const SigningKey &key, Memory &memory, char *thumbprint) noexcept {
  const RequiredMembers *members = required_members(key, memory);
  std::string_view text;
  unsigned char hash[sha256_size];
  const auto describe = [&](Writer &writer) {
    put_required(writer, *members);
    writer.put('}');
  };
  if (members == nullptr || !write_text(memory, describe, text) || !sha256(text, hash)) {
    return false;
  }
  static_assert(base64url_encoded_size(sha256_size) == thumbprint_size);
  base64url_encode({reinterpret_cast<const char *>(hash), sizeof(hash)}, thumbprint);
  return true;
}

bool make_public_jwk(const SigningKey &key, const SignatureAlgorithm &algorithm, std::string_view kid, Memory &memory,
                     std::string_view &jwk) noexcept {
  const RequiredMembers *members = required_members(key, memory);
  const auto describe = [&](Writer &writer) {
    put_required(writer, *members);
    put_member(writer, R"(,"use":"sig","alg":)", name(algorithm));
    put_member(writer, R"(,"kid":)", kid);
    writer.put('}');
  };
  return members != nullptr && write_text(memory, describe, jwk);
}

}  // namespace jose
