#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "revocation.h"

namespace oauth {

/// What a form asks for.
struct RevocationRequest {
  const char *problem = nullptr;  ///< a constant for the response; nullptr where the form is good
  Revocation revocation;
  std::string_view logout_token;  ///< where the form has that, and nothing else
};

/// Reads a revocation (RFC 7009 section 2.1, or one claim of `jti`, `sid`, `sub`, `client_id`), or a logout token
/// (OpenID Connect Back-Channel Logout 1.0 section 2.5).
/// @param now seconds since the epoch: `before`, where the form has none.
RevocationRequest read_revocation_form(std::string_view body, std::int64_t now, jose::Memory &memory) noexcept;

}  // namespace oauth
