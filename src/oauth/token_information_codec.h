#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/writer.h"
#include "introspection.h"

namespace oauth {

/// Puts an active introspection as bytes without pointers, for a copy that outlives the request: the facts that
/// decide() asks for, and the members of a JSON response. The JWT is not among them: who keeps the bytes keeps it
/// beside them. What is nested deeper than the elements of a member's array is left out, since nothing reads it.
void pack(jose::Writer &writer, const TokenInformation &introspection) noexcept;

/// The reverse of pack(), as far as decide() needs it; read_all() does the rest.
/// @param bytes must live as long as the result, which points into them.
/// @param jwt the introspection's jwt.compact; likewise.
/// @param introspection set where the result is true.
/// @return false where there is no memory, or the bytes are not what pack() puts.
bool unpack(std::string_view bytes, std::string_view jwt, jose::Memory &memory,
            TokenInformation &introspection) noexcept;

/// Reads the JWT's header and claims and the members of an unpacked introspection, for what needs them; does nothing
/// for another.
/// @return as unpack().
bool read_all(TokenInformation &introspection, jose::Memory &memory) noexcept;

}  // namespace oauth
