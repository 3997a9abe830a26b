#pragma once

#include <cstdint>
#include <string_view>

#include "json.h"
#include "writer.h"

namespace jose {

/// Puts a JSON string with its quotes (RFC 8259 section 7).
/// @param text UTF-8.
void put_json_string(Writer &writer, std::string_view text) noexcept;

/// Puts a whole number.
void put_json_number(Writer &writer, std::int64_t number) noexcept;

/// Puts a value as JSON without white space; a number as it was written.
/// @param value as parse_json() returns it, or a part of that; its own name is left out.
void put_json(Writer &writer, const JsonValue &value) noexcept;

}  // namespace jose
