#pragma once

#include <cstdint>
#include <limits>

#include "../jose/json.h"

namespace oauth {

/// What an answer says of the token as far as decide() asks. Gathered once, so that a copy of the answer can be judged
/// again without being read again. The values are nullptr where they are absent.
struct CheckedClaims {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t always = std::numeric_limits<std::int64_t>::min();

  bool gathered = false;  ///< decide() refuses what has not been

  bool exp_is_no_number = false;  ///< one of them
  bool nbf_is_no_number = false;
  std::int64_t exp = never;   ///< the earliest, in seconds since the epoch
  std::int64_t nbf = always;  ///< the latest, likewise

  const jose::JsonValue *issuer = nullptr;              ///< the JWT's `iss`
  const jose::JsonValue *issuer_of_response = nullptr;  ///< the JSON response's, which must hold too where it is there
  const jose::JsonValue *audience = nullptr;            ///< the JWT's `aud`
  const jose::JsonValue *audience_of_response = nullptr;
  const jose::JsonValue *scope = nullptr;  ///< the response's `scope`, else the JWT's `scope` or `scp`

  bool is_sender_constrained = false;  ///< `cnf` (RFC 7800 section 3.1) or `token_type` DPoP (RFC 9449 section 6.2)
};

/// @param claims the JWT's.
/// @param members the JSON response's; nullptr where there is none.
/// @param envelope the claims of an RFC 9701 response, whose `exp` and `nbf` count; likewise.
CheckedClaims gather_checked_claims(const jose::JsonValue &claims, const jose::JsonValue *members,
                                    const jose::JsonValue *envelope) noexcept;

}  // namespace oauth
