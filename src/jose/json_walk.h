#pragma once

#include <cstddef>

#include "json.h"

namespace jose {

inline bool is_container(const JsonValue &value) noexcept {
  return value.kind == JsonKind::array || value.kind == JsonKind::object;
}

/// Goes through a value and all that is in it, in the order of the text.
/// @param root as parse_json() returns it, or a part of that: not deeper than json_max_depth.
/// @param enter called with each value, and with what it is an element or a member of: nullptr for the root.
/// @param leave called with each array and object when all that is in it has been entered.
template <typename Enter, typename Leave>
void walk(const JsonValue &root, Enter enter, Leave leave) noexcept {
  struct Level {
    const JsonValue *container;
    const JsonValue *next;
  };
  Level levels[json_max_depth + 1];
  std::size_t depth = 0;
  const auto visit = [&](const JsonValue &value, const JsonValue *container) noexcept {
    enter(value, container);
    if (is_container(value)) {
      levels[depth++] = {&value, value.first};
    }
  };
  visit(root, nullptr);
  while (depth != 0) {
    Level &level = levels[depth - 1];
    if (level.next == nullptr) {
      leave(*level.container);
      --depth;
      continue;
    }
    const JsonValue &item = *level.next;
    level.next = item.next;
    visit(item, level.container);
  }
}

}  // namespace jose
