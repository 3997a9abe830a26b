#pragma once

#include <string_view>

#include "../../jose/memory.h"
#include "../../oauth/signed_jwt.h"
#include "module_configuration.h"
#include "private_key.h"

namespace gateway {

/// How a location signs the JWTs that the API gets.
struct SigningSettings {
  oauth::SignedJwtTemplate jwt;
  /// Locations with one digest sign alike, so that one may forward what another has signed. Empty where the location
  /// signs nothing.
  std::string_view digest;
};

/// A view of what phantom_token_signing_key has read; `for (const phantom_token_private_key_t *key : …)`.
class SigningKeys {
 public:
  explicit SigningKeys(const ngx_array_t *keys) noexcept
      : first_(keys == nullptr ? nullptr : static_cast<phantom_token_private_key_t *const *>(keys->elts)),
        count_(keys == nullptr ? 0 : keys->nelts) {}

  phantom_token_private_key_t *const *begin() const noexcept { return first_; }
  phantom_token_private_key_t *const *end() const noexcept { return first_ + count_; }
  bool empty() const noexcept { return count_ == 0; }

 private:
  phantom_token_private_key_t *const *first_;
  ngx_uint_t count_;
};

/// @param keys may be nullptr.
inline SigningKeys signing_keys(const ngx_array_t *keys) noexcept {
  return SigningKeys(keys);
}

/// @return the `kid` of a signing key: its thumbprint where none was given.
inline std::string_view key_id(const phantom_token_private_key_t &key) noexcept {
  return key.kid.empty() ? key.thumbprint : key.kid;
}

/// @param settings set where the result is true; its lists of strings are the caller's.
/// @return false where there is no memory, or OpenSSL fails.
bool make_signing_settings(const phantom_token_location_t &location, jose::Memory &memory,
                           SigningSettings &settings) noexcept;

}  // namespace gateway
