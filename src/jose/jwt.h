#pragma once

#include <string_view>

#include "json.h"
#include "memory.h"

namespace jose {

/// A signed JWT in compact form (RFC 7515 section 7.1, RFC 7519), its signature not verified.
struct Jwt {
  std::string_view compact;           ///< the three parts as they came, white space around them trimmed
  const JsonValue *header = nullptr;  ///< an object with `alg`
  const JsonValue *claims = nullptr;  ///< an object
};

/// Refused: anything but three non-empty base64url parts, a header or payload that is no JSON object (see parse_json),
/// `alg` absent, no string, empty or `none` in any case (RFC 8725 section 3.2).
/// @param text the JWT; must live as long as the result, which is a view of it.
/// @param memory where the decoded parts and their values are put.
/// @param jwt set where the result is true.
/// @param problem set, where it is false, to a constant that says why, fit for a log line.
bool parse_jwt(std::string_view text, Memory &memory, Jwt &jwt, const char *&problem) noexcept;

/// Whether the header's `typ` is this media type, compared without case and with or without `application/`
/// (RFC 7515 section 4.1.9). `subtype` is written without the prefix, such as `token-introspection+jwt`.
bool has_type(const Jwt &jwt, std::string_view subtype) noexcept;

}  // namespace jose
