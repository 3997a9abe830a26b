#pragma once

#include <cstdint>
#include <string_view>

namespace oauth {

/// What stands before the token in the value of Authorization (RFC 6750 section 2.1).
constexpr std::string_view bearer_scheme = "Bearer ";

/// What an Authorization header holds, as far as RFC 6750 is concerned.
enum class Credentials : std::uint8_t {
  missing,    ///< no header, or another scheme
  malformed,  ///< scheme Bearer without a well-formed token
  bearer,
};

/// What a token may be made of.
enum class TokenSyntax : std::uint8_t {
  b64token,  ///< RFC 6750 section 2.1
  visible,   ///< any visible ASCII but `"`, `,`, `;` and `\`: some servers' tokens have `!`, `|`, `:`, `%`, `@`, `*`
};

struct BearerCredentials {
  Credentials kind = Credentials::missing;
  std::string_view token;  ///< a view into the header; empty unless kind is bearer
};

/// Reads `Authorization: Bearer token` (RFC 6750 section 2.1). The scheme's case does not matter (RFC 9110 section
/// 11.1) and several spaces may follow it; a TAB may not.
/// @param authorization the header's value; empty where there is none.
BearerCredentials parse_bearer(std::string_view authorization, TokenSyntax syntax) noexcept;

/// @return whether somebody who reads more leniently may find a bearer token in it: behind white space, which nginx
///   leaves before a value (a TAB, a blank in HTTP/2) and an HTTP parser takes away (RFC 9110 section 5.5), behind what
///   only a language's trim() does, or behind another credential and a comma.
bool may_hold_bearer_token(std::string_view authorization) noexcept;

}  // namespace oauth
