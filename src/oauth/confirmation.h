#pragma once

#include <cstdint>
#include <string_view>

#include "checked_claims.h"
#include "outcome.h"

namespace oauth {

/// What becomes of a token that is bound to a key.
enum class Confirmation : std::uint8_t {
  refuse,
  pass,     ///< it is left to the API to check
  verify,   ///< it is checked, and other tokens are accepted too
  require,  ///< it is checked, and no other token is accepted
};

inline bool is_checked(Confirmation confirmation) noexcept {
  return confirmation == Confirmation::verify || confirmation == Confirmation::require;
}

/// What a client has shown with its token: the keys that it has.
struct ProvenKeys {
  bool by_dpop = false;               ///< the token came with the scheme DPoP
  std::string_view jwk;               ///< the thumbprint of the key of a good proof; empty where there is none
  std::string_view certificate = {};  ///< that of the client's certificate, likewise
};

/// Holds a token to its confirmation methods: `jkt` (RFC 9449 section 6.1) and `x5t#S256` (RFC 8705 section 3.1).
/// @return active, bound, dpop_proof or certificate.
Verdict check_confirmation(const CheckedClaims &claims, Confirmation confirmation, const ProvenKeys &proven) noexcept;

}  // namespace oauth
