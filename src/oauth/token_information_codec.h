#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/writer.h"
#include "revocable_claims.h"
#include "token_information.h"

namespace oauth {

/// Puts what is known of an active token as bytes without pointers, for a copy that outlives the request: the checked
/// claims and the members of a JSON response. The JWT is left out: whoever keeps the bytes keeps it beside them. Of the
/// checked claims, what is nested deeper than the elements of an array is left out too, since nothing reads it.
void pack(jose::Writer &writer, const TokenInformation &information) noexcept;

/// The reverse of pack(), as far as decide() needs it; read_all() does the rest.
/// @param bytes must live as long as the result, which points into them.
/// @param jwt the jwt.compact of what was packed; likewise.
/// @param information set where the result is true.
/// @return false where there is no memory, or the bytes are not what pack() puts.
bool unpack(std::string_view bytes, std::string_view jwt, jose::Memory &memory, TokenInformation &information) noexcept;

/// Reads the JWT's header and claims and the members, which unpack() leaves unread. Does nothing where they have been
/// read.
/// @return as unpack().
bool read_all(TokenInformation &information, jose::Memory &memory) noexcept;

/// Takes the first claim off TokenInformation::packed_revocable_claims.
/// @param claim set where the result is true.
/// @return false at the end; `rest` is not empty then where pack() has not put it.
bool take_revocable_claim(std::string_view &rest, RevocableClaim &claim) noexcept;

}  // namespace oauth
