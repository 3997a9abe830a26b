#include "cache_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace oauth {

namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX *digest) const noexcept { EVP_MD_CTX_free(digest); }
};

using Digest = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

constexpr std::size_t digest_size = cache_key_size / 2;

bool update(EVP_MD_CTX *digest, std::string_view part) noexcept {
  unsigned char length[8];
  for (std::size_t i = 0; i < sizeof(length); ++i) {
    length[i] = static_cast<unsigned char>(std::uint64_t{part.size()} >> (8 * (sizeof(length) - 1 - i)) & 0xFFU);
  }
  return EVP_DigestUpdate(digest, length, sizeof(length)) == 1 &&
         EVP_DigestUpdate(digest, part.data(), part.size()) == 1;
}

bool sha256(Strings parts, unsigned char *hash) noexcept {
  const Digest digest(EVP_MD_CTX_new());
  return digest != nullptr && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1 &&
         std::all_of(parts.begin(), parts.end(),
                     [&digest](std::string_view part) noexcept { return update(digest.get(), part); }) &&
         EVP_DigestFinal_ex(digest.get(), hash, nullptr) == 1;
}

}  // namespace

bool cache_key(Strings parts, char *hex) noexcept {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  unsigned char hash[digest_size];
  if (!sha256(parts, hash)) {
    ERR_clear_error();  // or nginx would log it against the next TLS connection
    return false;
  }
  for (const unsigned char byte : hash) {
    *hex++ = hex_digits[byte >> 4U];
    *hex++ = hex_digits[byte & 0xFU];
  }
  return true;
}

}  // namespace oauth
