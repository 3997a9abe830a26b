#pragma once

#include <cstdint>
#include <string_view>

#include "introspection.h"
#include "outcome.h"
#include "scope.h"
#include "strings.h"

namespace oauth {

/// What a location asks of a token.
struct Policy {
  Strings scopes;
  ScopeMatch scope_match = ScopeMatch::all;
  Strings issuers;                         ///< empty: any
  Strings audiences;                       ///< empty: any
  std::int64_t leeway = 0;                 ///< seconds, not negative
  bool accept_sender_constrained = false;  ///< leave `cnf` and DPoP to the API
};

struct Decision {
  Outcome outcome = Outcome::internal_error;
  const char *problem = nullptr;  ///< a constant for the log line; nullptr where the outcome's word says it all
};

/// The claims of a JWT that decide() reads. A copy of an answer needs no others to be judged again.
constexpr std::string_view decisive_claims[] = {"exp", "nbf", "iss", "aud", "scope", "scp", "cnf", "token_type"};

/// The one place where a request is allowed: a pure function of what the authorization server said, what the location
/// asks, and the time. Runs on every request, cached answer or not.
/// @param now seconds since the epoch.
Decision decide(const Introspection &introspection, const Policy &policy, std::int64_t now) noexcept;

/// @return when the answer ends by its own account, in seconds since the epoch: the earliest `exp` of those that
///   decide() looks at; the largest number where there is none.
std::int64_t earliest_expiry(const Introspection &introspection) noexcept;

}  // namespace oauth
