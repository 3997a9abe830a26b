#pragma once

#include <cstdint>
#include <limits>

#include "../jose/json.h"

namespace oauth {

/// The claims of a token that decide() checks, wherever they came from: the JWT, the JSON response around it, or the
/// JWT around that response. They are gathered once and can be kept, so that a cached token is checked again without
/// being parsed again. A pointer is nullptr where the claim is absent.
struct CheckedClaims {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t always = std::numeric_limits<std::int64_t>::min();

  bool gathered = false;  ///< set by gather_checked_claims(); decide() refuses a token without it

  bool exp_is_no_number = false;  ///< at least one `exp` is there and is not a number
  bool nbf_is_no_number = false;
  std::int64_t exp = never;   ///< the earliest `exp`, in seconds since the epoch
  std::int64_t nbf = always;  ///< the latest `nbf`, likewise

  const jose::JsonValue *issuer = nullptr;              ///< `iss` of the JWT; without one, of the JSON response
  const jose::JsonValue *issuer_of_response = nullptr;  ///< `iss` of the JSON response; both must be right
  const jose::JsonValue *audience = nullptr;            ///< `aud`, likewise
  const jose::JsonValue *audience_of_response = nullptr;
  const jose::JsonValue *scope = nullptr;  ///< `scope` of the response, else `scope` of the JWT, else its `scp`

  const jose::JsonValue *acr = nullptr;        ///< of the JWT, else of the JSON response
  const jose::JsonValue *auth_time = nullptr;  ///< likewise

  bool is_sender_constrained = false;  ///< `cnf` (RFC 7800 section 3.1) or `token_type` DPoP (RFC 9449 section 6.2)
  /// A `cnf` is no object, is empty or has a member that is none of those below, or `token_type` is DPoP without a
  /// `jkt`.
  bool has_unknown_confirmation = false;
  const jose::JsonValue *jkt = nullptr;  ///< a string: `cnf` `jkt` (RFC 9449 section 6.1) of the JWT
  const jose::JsonValue *jkt_of_response = nullptr;
  const jose::JsonValue *certificate = nullptr;  ///< a string: `cnf` `x5t#S256` (RFC 8705 section 3.1) of the JWT
  const jose::JsonValue *certificate_of_response = nullptr;
};

/// Calls `visit` with each member in turn. This is the one list of the members, for whoever copies or compares them: a
/// member that is missing in the first line does not compile.
/// @param checked_claims CheckedClaims, const or not.
template <typename Claims, typename Visit>
void for_each_member(Claims &checked_claims, Visit visit) {
  auto &[gathered, exp_is_no_number, nbf_is_no_number, exp, nbf, iss, iss_of_response, aud, aud_of_response, scope, acr,
         auth_time, is_sender_constrained, has_unknown_confirmation, jkt, jkt_of_response, certificate,
         certificate_of_response] = checked_claims;
  const auto visit_all = [&visit](auto &...members) { (visit(members), ...); };
  visit_all(gathered, exp_is_no_number, nbf_is_no_number, exp, nbf, iss, iss_of_response, aud, aud_of_response, scope,
            acr, auth_time, is_sender_constrained, has_unknown_confirmation, jkt, jkt_of_response, certificate,
            certificate_of_response);
}

/// @param claims the claims of the JWT; nullptr where there is none: then `iss` and `aud` are those of the response.
/// @param members the members of the JSON response; nullptr where there is none.
/// @param envelope the claims of the JWT around that response (RFC 9701), of which `exp` and `nbf` count; nullptr where
///   there is none.
CheckedClaims gather_checked_claims(const jose::JsonValue *claims, const jose::JsonValue *members,
                                    const jose::JsonValue *envelope) noexcept;

}  // namespace oauth
