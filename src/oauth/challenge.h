#pragma once

#include <cstddef>
#include <string_view>

#include "../jose/strings.h"

namespace oauth {

/// The parts of a WWW-Authenticate value for scheme Bearer (RFC 6750 section 3).
struct Challenge {
  std::string_view realm;
  jose::Strings scopes;                ///< left out where empty
  std::string_view error;              ///< left out where empty
  std::string_view resource_metadata;  ///< RFC 9728 section 5.1; left out where empty
  jose::Strings acr_values = {};       ///< RFC 9470 section 3; left out where empty
  std::string_view max_age = {};       ///< RFC 9470 section 3, seconds in decimal; left out where empty
};

/// @return the size in bytes of what write_challenge() will write.
std::size_t challenge_size(const Challenge &challenge) noexcept;

/// Writes `Bearer realm="...", scope="...", error="...", acr_values="...", max_age="...", resource_metadata="..."`:
/// quoted strings, escaped (RFC 9110 section 5.6.4).
/// @param out room for challenge_size(challenge) bytes.
/// @return the end of what was written; no terminator is added.
char *write_challenge(char *out, const Challenge &challenge) noexcept;

}  // namespace oauth
