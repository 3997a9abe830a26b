#pragma once

#include <cstdint>
#include <string_view>

namespace oauth {

/// How a request to a protected location ends: the words of $phantom_token_status.
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
  signature_of_client,  ///< of the client's own JWT
  signature_of_server,  ///< of the JWT that the authorization server returned
  rejected_jwt,
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
  anonymous,  ///< without a token, under `phantom_token optional`
  internal_error,
};

/// What an outcome means to the client.
struct OutcomeMeaning {
  std::string_view word;   ///< the value of $phantom_token_status
  unsigned status;         ///< HTTP status; 0 where the API answers
  std::string_view error;  ///< RFC 6750 section 3.1 error code of the challenge; empty where it has none
};

/// What comes of a request, an answer or a look at one, and why. A verdict that nobody has reached is a refusal.
struct Verdict {
  Outcome outcome = Outcome::internal_error;
  const char *problem = nullptr;  ///< a constant for the log line; nullptr where the outcome's word says it all
};

const OutcomeMeaning &meaning(Outcome outcome) noexcept;

}  // namespace oauth
