// Claims as variables: the one claim that the variable's name means, and no control character in what a header or a
// log line may get.

#include "oauth/claim.h"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.h"
#include "oracle.h"

namespace {

/// What nginx's variables have of a name: one character for each of the name's.
std::string variable_name(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size();) {
    const auto byte = static_cast<unsigned char>(name[i]);
    i += byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    const bool stays = byte < 0x80 && std::isalnum(byte) != 0;
    text += stays ? static_cast<char>(std::tolower(byte)) : '_';
  }
  return text;
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

/// The text of a claim by jansson's reading; numbers are the reader's own text.
std::string expected_text(const json_t *claim, std::string_view as_written) {
  std::string text;
  if (json_is_string(claim)) {
    text = fuzz::text_of(claim);
  } else if (json_is_boolean(claim)) {
    text = json_is_true(claim) ? "true" : "false";
  } else if (json_is_real(claim)) {
    text = as_written;
  }
  for (std::size_t i = 0; i < json_array_size(claim); ++i) {
    const json_t *element = json_array_get(claim, i);
    if (!json_is_string(element)) {
      return "";
    }
    text += (i == 0 ? "" : " ") + std::string(fuzz::text_of(element));
  }
  return has_control_character(text) ? "" : text;
}

/// The claim at a path, by jansson's way through the same objects.
void require_claim_at(const jose::JsonValue &object, const json_t *theirs, std::string_view line) {
  const std::vector<std::string_view> path = fuzz::split(line.substr(0, line.find('\0')), ' ');
  for (const std::string_view name : path) {
    theirs = fuzz::member(theirs, std::string(name).c_str());
  }
  const jose::JsonValue *claim = oauth::find_claim_at(&object, fuzz::strings(path));
  REQUIRE((claim != nullptr) == (theirs != nullptr));
  REQUIRE(claim == nullptr || path.empty() || claim->name == path.back());
}

}  // namespace

// A line with the variable's name or a path of names, then a JSON object.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view name = input.line();
  const fuzz::Text copy(input.rest());
  fuzz::Memory memory;
  const char *problem = nullptr;
  const jose::JsonValue *object = jose::parse_json(copy.data(), copy.size(), memory, problem);
  const fuzz::Json theirs = fuzz::load(input.rest());
  if (object == nullptr || theirs.value == nullptr) {
    return 0;
  }

  std::size_t count = 0;
  const jose::JsonValue *first = nullptr;
  for (const jose::JsonValue *claim = object->first; claim != nullptr; claim = claim->next) {
    if (claim->kind != jose::JsonKind::null && variable_name(claim->name) == name) {
      first = count++ == 0 ? claim : first;
    }
    std::string_view text;
    REQUIRE(oauth::claim_text(*claim, memory, text));
    if (object->kind == jose::JsonKind::object) {
      const json_t *other = json_object_get(theirs.value.get(), std::string(claim->name).c_str());
      REQUIRE(text == expected_text(other, claim->text));
    }
  }
  const oauth::ClaimMatch match = oauth::find_claim(object, name);
  REQUIRE(match.count == count);
  REQUIRE(match.claim == first);
  require_claim_at(*object, theirs.value.get(), name);
  return 0;
}
