#include "digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

namespace jose {

namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX *digest) const noexcept { EVP_MD_CTX_free(digest); }
};

using Context = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

/// Fetched once in each process: an implicit fetch for each digest costs as much as the digest itself.
EVP_MD *fetched_sha256 = nullptr;

const EVP_MD *sha256_algorithm() noexcept {
  if (fetched_sha256 == nullptr) {
    fetched_sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  }
  return fetched_sha256;
}

/// Collects small pieces, so that OpenSSL is called once for many of them.
class DigestWriter {
 public:
  explicit DigestWriter(EVP_MD_CTX *digest) noexcept : digest_(digest) {}

  bool put(std::string_view bytes) noexcept {
    if (bytes.size() > sizeof(pending_) - size_ && !flush()) {
      return false;
    }
    if (bytes.size() > sizeof(pending_)) {
      return EVP_DigestUpdate(digest_, bytes.data(), bytes.size()) == 1;
    }
    size_ += bytes.copy(pending_ + size_, bytes.size());
    return true;
  }

  bool flush() noexcept {
    const std::size_t size = std::exchange(size_, 0);
    return EVP_DigestUpdate(digest_, pending_, size) == 1;
  }

 private:
  EVP_MD_CTX *digest_;
  char pending_[512];
  std::size_t size_ = 0;
};

/// A part's length, as it stands before the part.
class LengthPrefix {
 public:
  explicit LengthPrefix(std::string_view part) noexcept {
    for (std::size_t i = 0; i < sizeof(bytes_); ++i) {
      bytes_[i] = static_cast<char>(std::uint64_t{part.size()} >> (8 * (sizeof(bytes_) - 1 - i)) & 0xFFU);
    }
  }

  std::string_view view() const noexcept { return {bytes_, sizeof(bytes_)}; }

 private:
  char bytes_[8];
};

bool digest_part(DigestWriter &writer, std::string_view part) noexcept {
  return writer.put(LengthPrefix(part).view()) && writer.put(part);
}

bool digest(std::string_view begun, Strings parts, unsigned char *hash) noexcept {
  const EVP_MD *algorithm = sha256_algorithm();
  const Context context(algorithm == nullptr ? nullptr : EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) {
    return false;
  }
  DigestWriter writer(context.get());
  return writer.put(begun) &&
         std::all_of(parts.begin(), parts.end(),
                     [&writer](std::string_view part) noexcept { return digest_part(writer, part); }) &&
         writer.flush() && EVP_DigestFinal_ex(context.get(), hash, nullptr) == 1;
}

/// nginx would log what is left in OpenSSL's error queue with the next TLS connection.
bool digest_quietly(std::string_view begun, Strings parts, unsigned char *hash) noexcept {
  const bool is_good = digest(begun, parts, hash);
  if (!is_good) {
    ERR_clear_error();
  }
  return is_good;
}

}  // namespace

bool hex_digest(std::string_view begun, Strings parts, char *hex) noexcept {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  unsigned char hash[sha256_size];
  if (!digest_quietly(begun, parts, hash)) {
    return false;
  }
  for (const unsigned char byte : hash) {
    *hex++ = hex_digits[byte >> 4U];
    *hex++ = hex_digits[byte & 0xFU];
  }
  return true;
}

bool hex_digest(Strings parts, char *hex) noexcept {
  return hex_digest({}, parts, hex);
}

bool sha256(std::string_view text, unsigned char *hash) noexcept {
  return digest_quietly(text, {}, hash);
}

void put_part(Writer &writer, std::string_view part) noexcept {
  writer.put(LengthPrefix(part).view());
  writer.put(part);
}

void release_digest() noexcept {
  EVP_MD_free(std::exchange(fetched_sha256, nullptr));
}

}  // namespace jose
