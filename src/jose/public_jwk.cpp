#include "public_jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <memory>

#include "base64url.h"
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

/// The public members of a key, and their text.
struct PublicMembers {
  JwkMembers jwk;
  Member first;   ///< `x`, or `e` of RSA
  Member second;  ///< `y`, or `n` of RSA; empty for EdDSA
};

bool read_rsa(const EVP_PKEY &key, PublicMembers &members) noexcept {
  if (!members.first.read_number(key, OSSL_PKEY_PARAM_RSA_E, 0) ||
      !members.second.read_number(key, OSSL_PKEY_PARAM_RSA_N, 0)) {
    return false;
  }
  members.jwk.kty = "RSA";
  members.jwk.e = members.first.text();
  members.jwk.n = members.second.text();
  return true;
}

bool read_ec(const EVP_PKEY &key, std::string_view curve, std::size_t size, PublicMembers &members) noexcept {
  if (!members.first.read_number(key, OSSL_PKEY_PARAM_EC_PUB_X, size) ||
      !members.second.read_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size)) {
    return false;
  }
  members.jwk.kty = "EC";
  members.jwk.crv = curve;
  members.jwk.x = members.first.text();
  members.jwk.y = members.second.text();
  return true;
}

bool read_edwards(const EVP_PKEY &key, std::string_view curve, PublicMembers &members) noexcept {
  if (!members.first.read_raw(key)) {
    return false;
  }
  members.jwk.kty = "OKP";
  members.jwk.crv = curve;
  members.jwk.x = members.first.text();
  return true;
}

bool read_members(const SigningKey &key, PublicMembers &members) noexcept {
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

/// In `memory`, since a key may be too large for the stack.
PublicMembers *public_members(const SigningKey &key, Memory &memory) noexcept {
  auto *members = memory.make<PublicMembers>();
  if (members == nullptr || !read_members(key, *members)) {
    (void)take_openssl_error();
    return nullptr;
  }
  return members;
}

}  // namespace

bool make_thumbprint(const SigningKey &key, Memory &memory, char *thumbprint) noexcept {
  const PublicMembers *members = public_members(key, memory);
  return members != nullptr && make_thumbprint(members->jwk, memory, thumbprint);
}

bool make_public_jwk(const SigningKey &key, const SignatureAlgorithm &algorithm, std::string_view kid, Memory &memory,
                     std::string_view &jwk) noexcept {
  const PublicMembers *members = public_members(key, memory);
  const auto describe = [&](Writer &writer) {
    put_required_members(writer, members->jwk);
    put_member(writer, R"(,"use":"sig","alg":)", name(algorithm));
    put_member(writer, R"(,"kid":)", kid);
    writer.put('}');
  };
  return members != nullptr && write_text(memory, describe, jwk);
}

}  // namespace jose
