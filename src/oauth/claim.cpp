#include "claim.h"

#include "../jose/writer.h"

namespace oauth {
namespace {

char variable_character(char c) noexcept {
  if (c >= 'A' && c <= 'Z') {
    return static_cast<char>(c - 'A' + 'a');
  }
  const bool stays = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  return stays ? c : '_';
}

/// @return whether this is not the first byte of a character in UTF-8 (RFC 3629 section 3).
bool is_continuation(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

bool has_variable_name(std::string_view name, std::string_view variable_name) noexcept {
  for (const char c : name) {
    if (is_continuation(c)) {
      continue;
    }
    if (variable_name.empty() || variable_character(c) != variable_name.front()) {
      return false;
    }
    variable_name.remove_prefix(1);
  }
  return variable_name.empty();
}

void put_joined(jose::Writer &writer, const jose::JsonValue &array) noexcept {
  for (const jose::JsonValue *element = array.first; element != nullptr; element = element->next) {
    if (element != array.first) {
      writer.put(' ');
    }
    writer.put(element->text);
  }
}

}  // namespace

ClaimMatch find_claim(const jose::JsonValue *object, std::string_view variable_name) noexcept {
  ClaimMatch match;
  for (const jose::JsonValue *claim = object == nullptr ? nullptr : object->first; claim != nullptr;
       claim = claim->next) {
    if (claim->kind == jose::JsonKind::null || !has_variable_name(claim->name, variable_name)) {
      continue;
    }
    if (match.count++ == 0) {
      match.claim = claim;
    }
  }
  return match;
}

const jose::JsonValue *find_claim_at(const jose::JsonValue *object, jose::Strings path) noexcept {
  for (const std::string_view name : path) {
    object = object == nullptr ? nullptr : object->member(name);
  }
  return object;
}

bool claim_text(const jose::JsonValue &claim, jose::Memory &memory, std::string_view &text) noexcept {
  text = {};
  if (jose::is_array_of_strings(claim)) {
    if (!jose::write_text(
            memory, [&](jose::Writer &writer) { put_joined(writer, claim); }, text)) {
      return false;
    }
  } else if (claim.kind != jose::JsonKind::array && claim.kind != jose::JsonKind::object) {
    text = claim.text;
  }
  if (jose::has_control_character(text)) {
    text = {};
  }
  return true;
}

}  // namespace oauth
