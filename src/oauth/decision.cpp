#include "decision.h"

#include <algorithm>
#include <limits>

#include "allowed_values.h"

namespace oauth {

namespace {

constexpr Verdict holds = {Outcome::active, nullptr};

std::int64_t saturating_add(std::int64_t one, std::int64_t other) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  std::int64_t sum = 0;
  if (__builtin_add_overflow(one, other, &sum)) {
    return other < 0 ? Limits::min() : Limits::max();
  }
  return sum;
}

constexpr Verdict not_a_number = {Outcome::as_bad_response, "exp or nbf is not a number"};

// RFC 7519 section 4.1.4: the token must not be accepted on or after `exp`.
Verdict check_expiry(const CheckedClaims &claims, const Requirements &requirements, std::int64_t now) noexcept {
  if (claims.exp_is_no_number) {
    return not_a_number;
  }
  const bool is_past = claims.exp != CheckedClaims::never && saturating_add(claims.exp, requirements.leeway) <= now;
  return is_past ? Verdict{Outcome::expired} : holds;
}

// RFC 7519 section 4.1.5: the token must not be accepted before `nbf`.
Verdict check_start(const CheckedClaims &claims, const Requirements &requirements, std::int64_t now) noexcept {
  if (claims.nbf_is_no_number) {
    return not_a_number;
  }
  const bool is_ahead = claims.nbf != CheckedClaims::always && claims.nbf > saturating_add(now, requirements.leeway);
  return is_ahead ? Verdict{Outcome::not_yet_valid} : holds;
}

/// The JWT must have the claim, and its value must be allowed. A JSON response need not have it; if it does, that value
/// must be allowed too.
using Predicate = bool (*)(const jose::JsonValue &value, jose::Strings allowed) noexcept;
bool claim_holds(const jose::JsonValue *claim, const jose::JsonValue *of_response, jose::Strings allowed,
                 Predicate predicate) noexcept {
  return allowed.empty() || (claim != nullptr && predicate(*claim, allowed) &&
                             (of_response == nullptr || predicate(*of_response, allowed)));
}

Verdict check_issuer(const CheckedClaims &claims, const Requirements &requirements, std::int64_t /*now*/) noexcept {
  return claim_holds(claims.issuer, claims.issuer_of_response, requirements.issuers, is_one_of)
             ? holds
             : Verdict{Outcome::issuer};
}

Verdict check_audience(const CheckedClaims &claims, const Requirements &requirements, std::int64_t /*now*/) noexcept {
  return claim_holds(claims.audience, claims.audience_of_response, requirements.audiences, contains_one_of)
             ? holds
             : Verdict{Outcome::audience};
}

Verdict check_scopes(const CheckedClaims &claims, const Requirements &requirements, std::int64_t /*now*/) noexcept {
  return scopes_satisfied(requirements.scopes, requirements.scope_match, claims.scope)
             ? holds
             : Verdict{Outcome::insufficient_scope};
}

// RFC 9470 section 4: a token that does not tell how its user was authenticated does not meet the requirement.
Verdict check_authentication_context(const CheckedClaims &claims, const Requirements &requirements,
                                     std::int64_t /*now*/) noexcept {
  if (requirements.acr_values.empty()) {
    return holds;
  }
  if (claims.acr == nullptr) {
    return {Outcome::acr, "the token has no acr"};
  }
  return is_one_of(*claims.acr, requirements.acr_values) ? holds : Verdict{Outcome::acr, "the token has another acr"};
}

Verdict check_authentication_age(const CheckedClaims &claims, const Requirements &requirements,
                                 std::int64_t now) noexcept {
  if (requirements.max_auth_age == Requirements::any_age) {
    return holds;
  }
  std::int64_t auth_time = 0;
  if (claims.auth_time == nullptr || !jose::read_numeric_date(*claims.auth_time, auth_time)) {
    return {Outcome::auth_time, "the token has no auth_time that is a number"};
  }
  // Clocks differ a little; a time in milliseconds would be recent for ever.
  constexpr std::int64_t smallest_skew = 5;
  if (auth_time > saturating_add(now, std::max(requirements.leeway, smallest_skew))) {
    return {Outcome::auth_time, "the token has an auth_time that is ahead"};
  }
  const bool is_recent = saturating_add(auth_time, requirements.max_auth_age) >= now;
  return is_recent ? holds : Verdict{Outcome::auth_time, "the user was authenticated too long ago"};
}

using Check = Verdict (*)(const CheckedClaims &claims, const Requirements &requirements, std::int64_t now) noexcept;
constexpr Check checks_of_token[] = {check_expiry, check_start, check_issuer, check_audience};
constexpr Check checks_of_grant[] = {check_scopes, check_authentication_context, check_authentication_age};

template <std::size_t count>
Verdict run(const Check (&checks)[count], const CheckedClaims &claims, const Requirements &requirements,
            std::int64_t now) noexcept {
  for (const Check check : checks) {
    const Verdict verdict = check(claims, requirements, now);
    if (verdict.outcome != Outcome::active) {
      return verdict;
    }
  }
  return holds;
}

}  // namespace

Verdict decide(const TokenInformation &information, const Requirements &requirements, const ProvenKeys &proven,
               std::int64_t now) noexcept {
  if (information.outcome != Outcome::active) {
    return {information.outcome, information.problem};
  }
  const CheckedClaims &claims = information.checked_claims;
  if (!claims.gathered) {
    return {};
  }
  const Verdict of_token = run(checks_of_token, claims, requirements, now);
  if (of_token.outcome != Outcome::active) {
    return of_token;
  }
  const Verdict of_sender = check_confirmation(claims, requirements.confirmation, proven);
  return of_sender.outcome == Outcome::active ? run(checks_of_grant, claims, requirements, now) : of_sender;
}

}  // namespace oauth
