#pragma once

#include <string_view>

#include "../oauth/strings.h"
#include "text.h"

namespace gateway {

/// @return the first header of that name that has not been taken back, or nullptr.
inline const ngx_table_elt_t *find_header(const ngx_list_t &headers, std::string_view name) noexcept {
  for (const ngx_list_part_t *part = &headers.part; part != nullptr; part = part->next) {
    const auto *elements = static_cast<const ngx_table_elt_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; i++) {
      if (elements[i].hash != 0 && oauth::equal_ignoring_case(view(elements[i].key), name)) {
        return &elements[i];
      }
    }
  }
  return nullptr;
}

}  // namespace gateway
