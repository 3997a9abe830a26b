#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/sign.h"

namespace oauth {

/// What the assertions have in common by which a client authenticates (RFC 7523 section 2.2).
struct ClientAssertionTemplate {
  jose::Signer signer;
  std::string_view kid;        ///< of the header; left out where empty
  std::string_view client_id;  ///< `iss` and `sub`; UTF-8
  std::string_view audience;   ///< `aud`; UTF-8
};

/// An assertion is good for so many seconds.
constexpr std::int64_t client_assertion_lifetime = 60;

/// Makes a new assertion (RFC 7523 section 3).
/// @param now `iat`, in seconds since the epoch.
/// @param jti never used before; no character of it needs an escape in JSON.
/// @param assertion set, in `memory`, where the result is true: a compact JWS, in which form-encoding changes nothing.
/// @return false where there is no memory, or OpenSSL cannot sign.
bool make_client_assertion(const ClientAssertionTemplate &common, std::int64_t now, std::string_view jti,
                           jose::Memory &memory, std::string_view &assertion) noexcept;

}  // namespace oauth
