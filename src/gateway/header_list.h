#pragma once

#include <string_view>

#include "../jose/strings.h"
#include "text.h"

namespace gateway {

/// @return the first header of that name that has not been taken back, or nullptr.
inline const ngx_table_elt_t *find_header(const ngx_list_t &headers, std::string_view name) noexcept {
  for (const ngx_list_part_t *part = &headers.part; part != nullptr; part = part->next) {
    const auto *elements = static_cast<const ngx_table_elt_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; i++) {
      if (elements[i].hash != 0 && jose::equal_ignoring_case(view(elements[i].key), name)) {
        return &elements[i];
      }
    }
  }
  return nullptr;
}

/// nginx refuses a request with two Authorization headers with 400, but an error_page for that brings it here with
/// both, and an API might believe the one that nobody has looked at.
/// @return whether there is one beside the one that nginx knows of.
inline bool has_several_authorizations(const ngx_http_headers_in_t &headers_in) noexcept {
  for (const ngx_list_part_t *part = &headers_in.headers.part; part != nullptr; part = part->next) {
    const auto *elements = static_cast<const ngx_table_elt_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; i++) {
      if (&elements[i] != headers_in.authorization &&
          jose::equal_ignoring_case(view(elements[i].key), "Authorization")) {
        return true;
      }
    }
  }
  return false;
}

/// @return where nginx keeps a pointer to this header beside the list; nullptr where it keeps none.
ngx_table_elt_t **find_header_field(ngx_http_headers_in_t &headers_in, const ngx_http_header_t &known) noexcept;

/// Copies a request's headers with their list, so that whoever changes one does not change the other: a subrequest's
/// are a copy of the parent's that shares the list.
/// @param left_out an element that does not come along, or nullptr.
/// @return false where there is no memory.
bool copy_headers(ngx_pool_t *pool, const ngx_http_headers_in_t &from, ngx_http_headers_in_t &to,
                  const ngx_table_elt_t *left_out) noexcept;

/// Gives the request these headers.
void use_headers(ngx_http_request_t *r, const ngx_http_headers_in_t &headers_in) noexcept;

}  // namespace gateway
