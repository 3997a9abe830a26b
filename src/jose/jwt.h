#pragma once

#include <string_view>

#include "json.h"
#include "memory.h"

namespace jose {

/// A signed JWT (RFC 7519) in compact serialization (RFC 7515 section 7.1). Its signature is not verified yet.
struct Jwt {
  std::string_view compact;           ///< the three parts as received, without white space around them
  const JsonValue *header = nullptr;  ///< an object with `alg`
  const JsonValue *claims = nullptr;  ///< an object
};

/// The problem of a JWT whose `alg` is `none`, empty or absent, or whose signature is empty.
inline constexpr char jwt_is_not_signed[] = "the JWT is not signed";

/// The three parts of a JWT in compact serialization, encoded.
struct JwtParts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
};

/// Takes a signed JWT apart.
/// @param text without white space around it.
/// @return nullptr; or a constant that says what is wrong: there are not three parts, or the signature is empty or no
///   base64url. The other two are not looked at.
const char *split_jwt(std::string_view text, JwtParts &parts) noexcept;

/// @return the JSON object that a part of a JWT encodes; nullptr where it encodes none, or there is no memory.
/// @param problem set where the result is nullptr.
const JsonValue *read_jwt_part(std::string_view part, Memory &memory, const char *&problem) noexcept;

/// @return whether the header names an algorithm that is neither empty nor `none` (RFC 8725 section 3.2).
bool has_algorithm(const JsonValue &header) noexcept;

/// Reads a signed JWT. It must have three parts of base64url, none of them empty; header and payload must be JSON
/// objects as parse_json() reads them; and `alg` must be a string that is neither empty nor `none`, in upper or lower
/// case (RFC 8725 section 3.2).
/// @param text the JWT; must live as long as the result, which is a view of it.
/// @param memory where the decoded parts and their values are put.
/// @param jwt set where the result is true.
/// @param problem set, where it is false, to a constant that says why, fit for a log line.
bool parse_jwt(std::string_view text, Memory &memory, Jwt &jwt, const char *&problem) noexcept;

/// Whether the header's `typ` is this media type, compared without case and with or without `application/`
/// (RFC 7515 section 4.1.9). `subtype` is written without the prefix, such as `token-introspection+jwt`.
bool has_type(const Jwt &jwt, std::string_view subtype) noexcept;

/// The same of a header that has been read by itself.
bool has_type(const JsonValue &header, std::string_view subtype) noexcept;

}  // namespace jose
