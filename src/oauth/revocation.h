#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace oauth {

/// What a revocation names.
enum class RevokedKind : std::uint8_t { token, jti, sid, sub, client_id };

constexpr std::size_t revoked_kind_count = static_cast<std::size_t>(RevokedKind::client_id) + 1;

/// @return the name of the claim, or of the parameter of a form.
std::string_view name(RevokedKind kind) noexcept;

/// A hash by which a value is looked for quickly: that of FNV-1a, over eight bytes at a time. It stands in files, and
/// is the same on every machine.
std::uint32_t quick_hash(std::string_view value) noexcept;

/// What is revoked: one token, or all tokens with a claim that were issued up to a moment.
struct Revocation {
  RevokedKind kind = RevokedKind::token;
  std::string_view value;   ///< the token itself, or the claim's value
  std::string_view issuer;  ///< `iss` of the tokens; empty: any. Never that of a token
  std::int64_t before = 0;  ///< tokens whose `iat` is later are others; seconds since the epoch
};

}  // namespace oauth
