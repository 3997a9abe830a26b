#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "memory.h"

namespace jose {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// A value of a parsed text. Its views point into that text; it lives in the Memory that parse_json() was given.
struct JsonValue {
  JsonKind kind = JsonKind::null;
  std::string_view name;             ///< the member's name, unescaped; empty unless this is a member of an object
  std::string_view text;             ///< a string unescaped; a number as written; `true` or `false`
  const JsonValue *first = nullptr;  ///< the first element or member
  const JsonValue *next = nullptr;   ///< the next one of the same array or object

  bool is_true() const noexcept { return kind == JsonKind::boolean && text == "true"; }
  bool is_false() const noexcept { return kind == JsonKind::boolean && text == "false"; }

  /// @return the member of that name; nullptr where there is none, or this is no object, or the member is `null`: many
  ///   servers write `null` for what they have no value for.
  const JsonValue *member(std::string_view member_name) const noexcept;

  /// @return the same, but the member also where it is `null`: for members that must have a value (`active`) or must
  /// not
  ///   be there at all (`crit`).
  const JsonValue *member_or_null(std::string_view member_name) const noexcept;
};

bool is_array_of_strings(const JsonValue &value) noexcept;

/// Reads one JSON text (RFC 8259) strictly. It refuses two members of the same name in one object, however the names
/// are escaped; invalid UTF-8 and lone surrogates; a byte order mark; a NUL in a name; anything behind the value; more
/// than json_max_depth levels; and numbers too large for a double.
/// @param text the JSON, rewritten in place. text[size] must be writable: a terminator is put there.
/// @param problem set, where the text is refused, to a constant that says why, fit for a log line.
/// @return the value, or nullptr where the text is refused or memory is short.
const JsonValue *parse_json(char *text, std::size_t size, Memory &memory, const char *&problem) noexcept;

constexpr std::size_t json_max_depth = 64;

/// Reads a NumericDate (RFC 7519 section 2) and rounds it down to whole seconds. The clock that it is compared with is
/// rounded down too; if it were rounded up, a token would not be valid in the second in which it was issued.
/// @param value any JSON value.
/// @param seconds since the epoch, set where the result is true; numbers beyond 64 bits become the nearest limit.
/// @return whether `value` is a number; false also for one too close to 0 for any double, such as 1e-400.
bool read_numeric_date(const JsonValue &value, std::int64_t &seconds) noexcept;

}  // namespace jose
