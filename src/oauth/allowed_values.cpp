#include "allowed_values.h"

#include <algorithm>

namespace oauth {

bool is_one_of(const jose::JsonValue &value, jose::Strings allowed) noexcept {
  return value.kind == jose::JsonKind::string && std::find(allowed.begin(), allowed.end(), value.text) != allowed.end();
}

bool contains_one_of(const jose::JsonValue &value, jose::Strings allowed) noexcept {
  if (!jose::is_array_of_strings(value)) {
    return is_one_of(value, allowed);
  }
  const jose::JsonValue *element = value.first;
  while (element != nullptr && !is_one_of(*element, allowed)) {
    element = element->next;
  }
  return element != nullptr;
}

}  // namespace oauth
