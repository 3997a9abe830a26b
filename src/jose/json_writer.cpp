#include "json_writer.h"

#include <charconv>

#include "json_walk.h"

namespace jose {
namespace {

void put_escaped(Writer &writer, char c) noexcept {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20) {
    writer.put("\\u00");
    writer.put(hex_digits[byte >> 4U]);
    writer.put(hex_digits[byte & 0xFU]);
    return;
  }
  if (c == '"' || c == '\\') {
    writer.put('\\');
  }
  writer.put(c);
}

/// Puts a scalar, or what an array or an object begins with.
void put_begin(Writer &writer, const JsonValue &value) noexcept {
  switch (value.kind) {
    case JsonKind::null:
      writer.put("null");
      break;
    case JsonKind::boolean:
    case JsonKind::number:
      writer.put(value.text);
      break;
    case JsonKind::string:
      put_json_string(writer, value.text);
      break;
    case JsonKind::array:
      writer.put('[');
      break;
    case JsonKind::object:
      writer.put('{');
      break;
  }
}

}  // namespace

void put_json_string(Writer &writer, std::string_view text) noexcept {
  writer.put('"');
  for (const char c : text) {
    put_escaped(writer, c);
  }
  writer.put('"');
}

void put_json_number(Writer &writer, std::int64_t number) noexcept {
  char digits[24];
  const char *end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  writer.put({digits, static_cast<std::size_t>(end - digits)});
}

void put_json(Writer &writer, const JsonValue &value) noexcept {
  walk(
      value,
      [&writer](const JsonValue &item, const JsonValue *container) noexcept {
        if (container != nullptr && container->first != &item) {
          writer.put(',');
        }
        if (container != nullptr && container->kind == JsonKind::object) {
          put_json_string(writer, item.name);
          writer.put(':');
        }
        put_begin(writer, item);
      },
      [&writer](const JsonValue &container) noexcept { writer.put(container.kind == JsonKind::array ? ']' : '}'); });
}

}  // namespace jose
