#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/sign.h"
#include "../jose/strings.h"
#include "outcome.h"
#include "token_information.h"

namespace oauth {

/// How the JWTs are made that the gateway signs itself (RFC 9068).
struct SignedJwtTemplate {
  jose::Signer signer;
  std::string_view kid;       ///< of the header
  std::string_view issuer;    ///< `iss`; UTF-8
  jose::Strings audiences;    ///< `aud`; UTF-8, at least one
  std::int64_t lifetime = 0;  ///< seconds, the longest
  jose::Strings claims;       ///< of those of the token, only these; empty: all
  jose::Strings jwt_members;  ///< that may hold the authorization server's JWT: they are no claims
  bool is_exchange = false;   ///< the response is a token's (RFC 6749 section 5.1): only its `scope` is a claim
};

struct SignedJwt {
  std::string_view compact;
  std::int64_t exp = 0;  ///< in seconds since the epoch
};

/// The claims may take so many bytes as JSON: no server takes headers that are larger.
constexpr std::size_t largest_signed_claims = 65536;

/// Makes a JWT of what is known of a token: the members of the JSON response, and the claims of the authorization
/// server's JWT that are not among them. The gateway sets `iss`, `sub`, `aud`, `iat`, `exp` and `jti`.
/// @param information active, and read by read_all().
/// @param now `iat`, in seconds since the epoch.
/// @param jti never used before; no character of it needs an escape in JSON.
/// @param jwt set, in `memory`, where the result is active.
/// @return active, as_bad_response where the claims cannot be put into a JWT, or internal_error.
Verdict make_signed_jwt(const SignedJwtTemplate &common, const TokenInformation &information, std::int64_t now,
                        std::string_view jti, jose::Memory &memory, SignedJwt &jwt) noexcept;

/// @return whether no claim of the token goes into a signed JWT by this name: the gateway sets it, or it is about the
///   response.
bool is_reserved_claim(std::string_view name) noexcept;

}  // namespace oauth
