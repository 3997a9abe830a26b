#pragma once

#include <cstdint>
#include <string_view>

namespace oauth {

/// What stands before the token in the value of Authorization (RFC 6750 section 2.1).
constexpr std::string_view bearer_scheme = "Bearer ";

/// The schemes of Authorization that a token may come with (RFC 6750 section 2.1, RFC 9449 section 7.1).
enum class Scheme : std::uint8_t { bearer, dpop };

/// Whether an Authorization header holds a token.
enum class Credentials : std::uint8_t {
  missing,    ///< no header, or another scheme
  malformed,  ///< the scheme without a well-formed token
  bearer,     ///< a token, whatever its scheme
};

/// Which characters a token may have.
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

/// Reads `Authorization: DPoP token` (RFC 9449 section 7.1), which differs in the scheme only.
BearerCredentials parse_dpop(std::string_view authorization, TokenSyntax syntax) noexcept;

/// @return whether the scheme is this one, whatever stands behind it.
bool has_scheme(std::string_view authorization, Scheme scheme) noexcept;

/// Reads a token that comes without a scheme.
/// @param text not empty.
BearerCredentials read_token(std::string_view text, TokenSyntax syntax) noexcept;

/// @return whether a server that is more lenient than parse_bearer() may find a token of this scheme in the header. It
///   may skip white space and control characters before the scheme, or read a list of credentials separated by commas.
bool may_hold_token(std::string_view authorization, Scheme scheme) noexcept;

}  // namespace oauth
