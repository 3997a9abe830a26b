#pragma once

#include <cstdint>
#include <string_view>

namespace oauth {

/// How a request to a protected location ends. Each has a word, which users see.
enum class Outcome : std::uint8_t {
  active,
  missing,
  malformed,
  inactive,
  expired,
  not_yet_valid,
  issuer,
  audience,
  insufficient_scope,
  bound,
  dpop_proof,           ///< none, or one that fails
  dpop_replay,          ///< used before
  dpop_nonce,           ///< one is asked for, and the proof has none that is good
  certificate,          ///< the client's: none, or another than the token's
  signature_of_client,  ///< of the client's own JWT
  signature_of_server,  ///< of the JWT that the authorization server returned
  rejected_jwt,
  acr,
  auth_time,
  requirement_forbidden,     ///< a value that the operator requires; answered as a missing scope
  requirement_unauthorized,  ///< the same, answered as an invalid token
  revoked,
  dpop_replay_full,  ///< no proof can be remembered
  as_refused_client,
  as_busy,
  as_timeout,
  as_error,
  as_bad_response,
  misconfigured,
  stale,
  jwks_unavailable,
  passed_jwt,
  preflight,
  bypassed,
  anonymous,  ///< without a token, where tokens are optional
  internal_error,
};

/// The error code of a token that tells too little of how its user was authenticated (RFC 9470 section 3).
constexpr std::string_view insufficient_user_authentication = "insufficient_user_authentication";

/// What an outcome means to the client.
struct OutcomeMeaning {
  std::string_view word;   ///< the name that users see
  unsigned status;         ///< of the HTTP response; 0 where the request goes on to the API
  std::string_view error;  ///< the error code of the challenge (RFC 6750 section 3.1); empty where it has none
};

/// The outcome of a request, or of one step of it, and why. A verdict that was never set is a refusal.
struct Verdict {
  Outcome outcome = Outcome::internal_error;
  const char *problem = nullptr;  ///< a constant for the log line; nullptr where the outcome's word is enough
};

const OutcomeMeaning &meaning(Outcome outcome) noexcept;

}  // namespace oauth
