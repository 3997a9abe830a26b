#pragma once

#include <cstdint>
#include <string_view>

#include "introspection.h"
#include "memory.h"
#include "writer.h"

namespace oauth {

/// Puts an active introspection as bytes without pointers, for a copy that outlives the request. Of the JWT's claims
/// only those that decide() reads are packed, and not the JWT itself: who keeps the bytes keeps it beside them. Of a
/// JSON response all members are packed; what is nested deeper than an array's elements is left out, since nothing
/// reads it.
void pack(Writer &writer, const Introspection &introspection) noexcept;

/// The reverse of pack().
/// @param bytes must live as long as the result, which points into them.
/// @param jwt the introspection's jwt.compact; likewise.
/// @param introspection set where the result is true. Its jwt.header is nullptr and its jwt.claims are those that
///   decide() reads; read_whole_jwt() makes up for both.
/// @return false where there is no memory, or the bytes are not what pack() puts.
bool unpack(std::string_view bytes, std::string_view jwt, Memory &memory, Introspection &introspection) noexcept;

/// Reads the JWT of an unpacked introspection, for what needs its header or all of its claims; does nothing for
/// another.
/// @return false where there is no memory.
bool read_whole_jwt(Introspection &introspection, Memory &memory) noexcept;

}  // namespace oauth
