#pragma once

#include <cstdint>

#include "../jose/strings.h"
#include "confirmation.h"
#include "outcome.h"
#include "scope.h"
#include "token_information.h"

namespace oauth {

/// What a location requires of a token.
struct Requirements {
  static constexpr std::int64_t any_age = -1;

  jose::Strings scopes;
  ScopeMatch scope_match = ScopeMatch::all;
  jose::Strings issuers;                ///< empty: any
  jose::Strings audiences;              ///< empty: any
  std::int64_t leeway = 0;              ///< seconds, not negative
  jose::Strings acr_values;             ///< empty: any
  std::int64_t max_auth_age = any_age;  ///< seconds since the user's authentication, not negative
  Confirmation confirmation = Confirmation::refuse;
};

/// The one place where a request is allowed: a pure function of what is known of the token, what the location requires
/// of it, what the client has shown, and the time. Runs on every request, whether or not the information comes from a
/// cache.
/// @param now seconds since the epoch.
Verdict decide(const TokenInformation &information, const Requirements &requirements, const ProvenKeys &proven,
               std::int64_t now) noexcept;

}  // namespace oauth
