#pragma once

#include <cstdint>

#include "../jose/strings.h"
#include "introspection.h"
#include "outcome.h"
#include "scope.h"

namespace oauth {

/// What a location asks of a token.
struct Requirements {
  jose::Strings scopes;
  ScopeMatch scope_match = ScopeMatch::all;
  jose::Strings issuers;                   ///< empty: any
  jose::Strings audiences;                 ///< empty: any
  std::int64_t leeway = 0;                 ///< seconds, not negative
  bool accept_sender_constrained = false;  ///< leave `cnf` and DPoP to the API
};

/// The one place where a request is allowed: a pure function of what the authorization server said, what the location
/// asks, and the time. Runs on every request, cached answer or not.
/// @param now seconds since the epoch.
Verdict decide(const TokenInformation &introspection, const Requirements &policy, std::int64_t now) noexcept;

}  // namespace oauth
