#pragma once

#include <jansson.h>

#include <string_view>

namespace jose {

/// @return the text of a member, a view into it; empty where it is absent or no string. For JSON that jansson has read.
inline std::string_view string_member(const json_t *object, const char *name) noexcept {
  const json_t *member = json_object_get(object, name);
  return json_is_string(member) ? std::string_view(json_string_value(member), json_string_length(member))
                                : std::string_view();
}

}  // namespace jose
