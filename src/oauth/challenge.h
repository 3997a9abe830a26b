#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/strings.h"
#include "bearer.h"

namespace oauth {

/// The parts of a WWW-Authenticate value (RFC 6750 section 3, RFC 9449 section 7.1).
struct Challenge {
  std::string_view realm;
  jose::Strings scopes;                ///< left out where empty
  std::string_view error;              ///< left out where empty
  std::string_view resource_metadata;  ///< RFC 9728 section 5.1; left out where empty
  jose::Strings acr_values = {};       ///< RFC 9470 section 3; left out where empty
  std::string_view max_age = {};       ///< RFC 9470 section 3, seconds in decimal; left out where empty
  Scheme scheme = Scheme::bearer;
  jose::Strings algorithms = {};  ///< for the scheme DPoP: those that may sign a proof
};

/// @return the size in bytes of what write_challenge() will write.
std::size_t challenge_size(const Challenge &challenge) noexcept;

/// Writes `Bearer realm="...", scope="...", error="...", acr_values="...", max_age="...", resource_metadata="..."`, or
/// `DPoP algs="...", realm="..."` and so on: quoted strings, escaped (RFC 9110 section 5.6.4).
/// @param out room for challenge_size(challenge) bytes.
/// @return the end of what was written; no terminator is added.
char *write_challenge(char *out, const Challenge &challenge) noexcept;

}  // namespace oauth
