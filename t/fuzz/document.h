#pragma once

#include <string_view>

#include "fuzz.h"
#include "jose/json.h"
#include "oracle.h"

namespace fuzz {

/// A JSON text read twice: by us and by jansson. Empty text is none.
struct Document {
  explicit Document(std::string_view text) : copy(text), is_absent(text.empty()) {
    const char *problem = nullptr;
    ours = is_absent ? nullptr : jose::parse_json(copy.data(), copy.size(), memory, problem);
    theirs = load(text).value;
    is_object = ours != nullptr && ours->kind == jose::JsonKind::object && json_is_object(theirs.get());
  }

  Text copy;
  Memory memory;
  bool is_absent;
  bool is_object = false;  ///< for both
  const jose::JsonValue *ours = nullptr;
  JsonPointer theirs;
};

}  // namespace fuzz
