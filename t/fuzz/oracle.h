#pragma once

#include <jansson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jose/json.h"
#include "jose/strings.h"

/// A second opinion, made of jansson and OpenSSL: what the targets hold our own readers against.
namespace fuzz {

struct FreeJson {
  void operator()(json_t *value) const noexcept { json_decref(value); }
};

using JsonPointer = std::unique_ptr<json_t, FreeJson>;

/// What jansson makes of a text. Numbers are all reals.
struct Json {
  JsonPointer value;      ///< nullptr where it is refused
  bool open = false;      ///< the two readers may differ, for a reason that t/fuzz/README.md names
  bool overflow = false;  ///< refused for a number that no double holds
};

Json load(std::string_view text);

/// The views of one list as our library takes them.
inline jose::Strings strings(const std::vector<std::string_view> &items) {
  return {items.data(), items.size()};
}

std::string_view text_of(const json_t *string);

/// @return the member; nullptr also where it is `null`, which counts as absent.
const json_t *member(const json_t *object, const char *name);

/// @return the member where it is a string, else nothing.
std::optional<std::string_view> string_member(const json_t *object, const char *name);

bool is_array_of_strings(const json_t *value);

/// @return whether a double has lost the fraction of a date: such as 1700000000.99999999999, which is rounded down and
///   not up.
bool is_rounded(const jose::JsonValue *date);

/// @return whether a number lies too close to 0 for any double, such as 1e-400: jansson reads 0, and we refuse the
/// date.
bool underflows(const jose::JsonValue *date);

/// Ends the process where the two values differ.
void require_equal(const jose::JsonValue &ours, const json_t *theirs);

/// @return the bytes, decoded by OpenSSL and encoded again to see that the text is their one encoding; or nothing.
std::optional<std::string> decode_base64url(std::string_view text);

std::string encode_base64url(std::string_view bytes);

/// A compact JWS by our contract, its signature not looked at.
struct Jws {
  bool good = false;
  bool open = false;  ///< see Json
  std::string_view compact;
  JsonPointer header;
  JsonPointer claims;
};

Jws read_jws(std::string_view text);

/// Compares as the protocols do: ASCII, without case.
bool same_word(std::string_view one, std::string_view other);

/// Whether the header's typ is this media type, with or without `application/`.
bool has_typ(const json_t *header, std::string_view subtype);

}  // namespace fuzz
