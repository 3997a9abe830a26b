#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "../jose/json.h"
#include "revocation.h"

namespace oauth {

/// A claim by which a token may have been revoked.
struct RevocableClaim {
  /// Of a token without `iat`: no revocation came before it was issued.
  static constexpr std::int64_t no_iat = std::numeric_limits<std::int64_t>::min();

  std::string_view value;
  std::string_view issuer;    ///< empty: whatever issuer a revocation was said for
  std::int64_t iat = no_iat;  ///< a revocation counts whose `before` is not earlier
  std::uint32_t hash = 0;     ///< quick_hash() of the value
  RevokedKind kind = RevokedKind::jti;
};

/// At most so many has a token: those of its JWT, and those of the JSON response.
constexpr std::size_t most_revocable_claims = 2 * (revoked_kind_count - 1);

/// Lists the claims by which a token may have been revoked. A source without `iss` or `iat` has those of the other one.
/// @param jwt_claims of the JWT; nullptr where there is none.
/// @param members of the JSON response; nullptr where there is none.
/// @param claims room for most_revocable_claims.
/// @return how many there are.
std::size_t list_revocable_claims(const jose::JsonValue *jwt_claims, const jose::JsonValue *members,
                                  RevocableClaim *claims) noexcept;

}  // namespace oauth
