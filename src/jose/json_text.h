#pragma once

#include <jansson.h>

#include <string_view>

#include "jwk.h"

namespace jose {

/// @param object an object that jansson has read.
/// @return a view of the member's text; empty where the member is absent or not a string.
inline std::string_view string_member(const json_t *object, const char *name) noexcept {
  const json_t *member = json_object_get(object, name);
  return json_is_string(member) ? std::string_view(json_string_value(member), json_string_length(member))
                                : std::string_view();
}

/// @param jwk an object; its private members are not looked at.
inline JwkMembers jwk_members(const json_t *jwk) noexcept {
  return {string_member(jwk, "kty"), string_member(jwk, "crv"), string_member(jwk, "x"),
          string_member(jwk, "y"),   string_member(jwk, "n"),   string_member(jwk, "e")};
}

}  // namespace jose
