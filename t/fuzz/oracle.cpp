#include "oracle.h"

#include <openssl/evp.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <initializer_list>

#include "fuzz.h"

namespace fuzz {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The text without its strings, where numbers stand.
std::string outside_of_strings(std::string_view text) {
  std::string outside;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
      outside += '"';
    } else if (!in_string) {
      outside += text[i];
    }
  }
  return outside;
}

/// Whether a number stands there that might be none for a double: 200 digits, or an exponent of three.
bool has_extreme_number(std::string_view text) {
  const std::string outside = outside_of_strings(text);
  std::size_t digits = 0;
  bool in_exponent = false;
  for (const char c : outside) {
    if (is_digit(c)) {
      digits++;
    } else if (c == 'e' || c == 'E') {
      in_exponent = true;
      digits = 0;
    } else if (c != '.' && c != '+' && c != '-') {
      in_exponent = false;
      digits = 0;
    }
    if (digits >= (in_exponent ? 3U : 200U)) {
      return true;
    }
  }
  return false;
}

std::size_t depth_of(const json_t *value) {
  std::size_t deepest = 0;
  if (json_is_array(value)) {
    for (std::size_t i = 0; i < json_array_size(value); ++i) {
      deepest = std::max(deepest, depth_of(json_array_get(value, i)));
    }
    return deepest + 1;
  }
  if (json_is_object(value)) {
    for (void *at = json_object_iter(const_cast<json_t *>(value)); at != nullptr;
         at = json_object_iter_next(const_cast<json_t *>(value), at)) {
      deepest = std::max(deepest, depth_of(json_object_iter_value(at)));
    }
    return deepest + 1;
  }
  return 0;
}

std::size_t count(const jose::JsonValue &container) {
  std::size_t members = 0;
  for (const jose::JsonValue *member = container.first; member != nullptr; member = member->next) {
    ++members;
  }
  return members;
}

void require_equal_members(const jose::JsonValue &ours, const json_t *theirs) {
  REQUIRE(json_is_object(theirs));
  REQUIRE(count(ours) == json_object_size(theirs));
  for (const jose::JsonValue *member = ours.first; member != nullptr; member = member->next) {
    const json_t *other = json_object_get(theirs, std::string(member->name).c_str());
    REQUIRE(other != nullptr);
    require_equal(*member, other);
  }
}

void require_equal_elements(const jose::JsonValue &ours, const json_t *theirs) {
  REQUIRE(json_is_array(theirs));
  REQUIRE(count(ours) == json_array_size(theirs));
  std::size_t i = 0;
  for (const jose::JsonValue *element = ours.first; element != nullptr; element = element->next) {
    REQUIRE(element->name.empty());
    require_equal(*element, json_array_get(theirs, i++));
  }
}

bool is_object(const Json &json) {
  return json_is_object(json.value.get());
}

}  // namespace

Json load(std::string_view text) {
  constexpr std::size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
  json_error_t error = {};
  Json json;
  if (text.find('\0') != std::string_view::npos) {
    return json;  // no JSON has a NUL as it stands, but jansson overlooks one behind a number
  }
  json.value.reset(json_loadb(text.data(), text.size(), flags, &error));
  if (json.value == nullptr) {
    json.overflow = json_error_code(&error) == json_error_numeric_overflow;
    json.open = json.overflow || json_error_code(&error) == json_error_stack_overflow;
    return json;
  }
  json.open = has_extreme_number(text) || depth_of(json.value.get()) > jose::json_max_depth;
  return json;
}

std::string_view text_of(const json_t *string) {
  return {json_string_value(string), json_string_length(string)};
}

const json_t *member(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_null(value) ? nullptr : value;
}

std::optional<std::string_view> string_member(const json_t *object, const char *name) {
  const json_t *member = json_object_get(object, name);
  return json_is_string(member) ? std::optional(text_of(member)) : std::nullopt;
}

bool is_array_of_strings(const json_t *value) {
  for (std::size_t i = 0; i < json_array_size(value); ++i) {
    if (!json_is_string(json_array_get(value, i))) {
      return false;
    }
  }
  return json_is_array(value);
}

bool is_rounded(const jose::JsonValue *date) {
  if (date == nullptr || date->text.find('.') == std::string_view::npos) {
    return false;
  }
  const double number = std::strtod(std::string(date->text).c_str(), nullptr);
  return std::floor(number) == number;
}

bool underflows(const jose::JsonValue *date) {
  if (date == nullptr || date->kind != jose::JsonKind::number) {
    return false;
  }
  const std::string text(date->text);
  const std::size_t exponent = text.find_first_of("eE");
  const bool is_zero = text.substr(0, exponent).find_first_of("123456789") == std::string::npos;
  return exponent != std::string::npos && !is_zero && std::strtod(text.c_str(), nullptr) == 0;
}

void require_equal(const jose::JsonValue &ours, const json_t *theirs) {
  switch (ours.kind) {
    case jose::JsonKind::null:
      REQUIRE(json_is_null(theirs));
      return;
    case jose::JsonKind::boolean:
      REQUIRE(ours.is_true() ? json_is_true(theirs) : ours.is_false() && json_is_false(theirs));
      return;
    case jose::JsonKind::number:
      REQUIRE(json_is_real(theirs));
      REQUIRE(std::strtod(std::string(ours.text).c_str(), nullptr) == json_real_value(theirs));
      return;
    case jose::JsonKind::string:
      REQUIRE(json_is_string(theirs));
      REQUIRE(ours.text == text_of(theirs));
      return;
    case jose::JsonKind::array:
      require_equal_elements(ours, theirs);
      return;
    case jose::JsonKind::object:
      require_equal_members(ours, theirs);
      return;
  }
  REQUIRE(false);
}

std::string encode_base64url(std::string_view bytes) {
  std::vector<unsigned char> block((bytes.size() + 2) / 3 * 4 + 1);
  EVP_EncodeBlock(block.data(), reinterpret_cast<const unsigned char *>(bytes.data()), static_cast<int>(bytes.size()));
  std::string text(reinterpret_cast<const char *>(block.data()));
  text.resize(std::min(text.find('='), text.size()));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string padded(text);
  if (padded.find_first_of("+/= \t\r\n\v\f") != std::string::npos || padded.find('\0') != std::string::npos) {
    return std::nullopt;  // which OpenSSL would take
  }
  std::replace(padded.begin(), padded.end(), '-', '+');
  std::replace(padded.begin(), padded.end(), '_', '/');
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::vector<unsigned char> bytes(padded.size() / 4 * 3 + 1);
  if (EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char *>(padded.data()),
                      static_cast<int>(padded.size())) < 0) {
    return std::nullopt;
  }
  std::string decoded(reinterpret_cast<const char *>(bytes.data()), text.size() * 3 / 4);
  return encode_base64url(decoded) == text ? std::optional(decoded) : std::nullopt;
}

Jws read_jws(std::string_view text) {
  constexpr std::string_view white_space = " \t\r\n";
  Jws jws;
  const std::size_t begin = text.find_first_not_of(white_space);
  if (begin == std::string_view::npos) {
    return jws;
  }
  jws.compact = text.substr(begin, text.find_last_not_of(white_space) - begin + 1);
  if (std::count(jws.compact.begin(), jws.compact.end(), '.') != 2) {
    return jws;
  }
  const std::size_t first = jws.compact.find('.');
  const std::size_t second = jws.compact.rfind('.');
  const auto header = decode_base64url(jws.compact.substr(0, first));
  const auto claims = decode_base64url(jws.compact.substr(first + 1, second - first - 1));
  const auto signature = decode_base64url(jws.compact.substr(second + 1));
  if (!header || !claims || !signature || signature->empty()) {
    return jws;
  }
  Json header_json = load(*header);
  Json claims_json = load(*claims);
  jws.open = header_json.open || claims_json.open;
  const auto alg = string_member(header_json.value.get(), "alg");
  jws.good = is_object(header_json) && is_object(claims_json) && alg && !alg->empty() && !same_word(*alg, "none");
  jws.header = std::move(header_json.value);
  jws.claims = std::move(claims_json.value);
  return jws;
}

bool same_word(std::string_view one, std::string_view other) {
  return one.size() == other.size() && strncasecmp(one.data(), other.data(), one.size()) == 0 &&
         one.find('\0') == other.find('\0');
}

bool has_typ(const json_t *header, std::string_view subtype) {
  const auto typ = string_member(header, "typ");
  return typ && (same_word(*typ, subtype) || same_word(*typ, "application/" + std::string(subtype)));
}

}  // namespace fuzz
