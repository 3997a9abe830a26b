#include "hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <climits>

#include "openssl.h"

namespace jose {

bool hmac_sha256(std::string_view secret, std::string_view text, unsigned char *mac) noexcept {
  const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
  const bool is_made = secret.size() <= INT_MAX && HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                                        bytes, text.size(), mac, nullptr) != nullptr;
  (void)take_openssl_error();
  return is_made;
}

bool equal_in_constant_time(std::string_view one, std::string_view other) noexcept {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace jose
