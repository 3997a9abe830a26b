#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "memory.h"

namespace jose {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// A parsed value. All views point into the parsed text, all nodes live in the Memory that the parser was given.
struct JsonValue {
  JsonKind kind = JsonKind::null;
  std::string_view name;             ///< the member's name, unescaped; empty unless this is a member of an object
  std::string_view text;             ///< a string unescaped; a number as written; `true` or `false`
  const JsonValue *first = nullptr;  ///< the first element or member
  const JsonValue *next = nullptr;   ///< the next one of the same array or object

  bool is_true() const noexcept { return kind == JsonKind::boolean && text == "true"; }
  bool is_false() const noexcept { return kind == JsonKind::boolean && text == "false"; }

  /// @return the member of that name, or nullptr: also where this is no object. One that is `null` counts as absent, as
  ///   many servers write what they have no value for.
  const JsonValue *member(std::string_view member_name) const noexcept;

  /// @return the same, but `null` is a value: for what must say something (`active`) or must not be there (`crit`).
  const JsonValue *member_or_null(std::string_view member_name) const noexcept;
};

bool is_array_of_strings(const JsonValue &value) noexcept;

/// Reads one JSON text (RFC 8259), strictly: refused are duplicate members at any depth, also in different escapes;
/// invalid UTF-8 and lone surrogates; a byte order mark; a NUL in a name; anything behind the value; more than
/// json_max_depth levels; numbers that no double holds.
/// @param text the JSON, rewritten in place. text[size] must be writable: a terminator is put there.
/// @param problem set, where the text is refused, to a constant that says why, fit for a log line.
/// @return the value, or nullptr where the text is refused or memory is short.
const JsonValue *parse_json(char *text, std::size_t size, Memory &memory, const char *&problem) noexcept;

constexpr std::size_t json_max_depth = 64;

/// Reads a NumericDate (RFC 7519 section 2). Fractions are rounded down: the clock that they are compared with has
/// whole seconds, so that an `nbf` rounded up would be ahead of it for a token that is fresh.
/// @param value any JSON value.
/// @param seconds since the epoch, set where the result is true; numbers beyond 64 bits become the nearest limit.
/// @return whether `value` is a number.
bool read_numeric_date(const JsonValue &value, std::int64_t &seconds) noexcept;

}  // namespace jose
