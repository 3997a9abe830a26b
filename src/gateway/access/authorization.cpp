#include "authorization.h"

#include "../../nginx/header_list.h"
#include "../../nginx/strings.h"
#include "../../oauth/bearer.h"
#include "../configuration/variable_indices.h"

namespace gateway {
namespace {

/// Gives the request a header list of its own.
/// @param left_out the name of headers that do not come along; empty: all come.
bool own_headers(ngx_http_request_t *r, std::string_view left_out) noexcept {
  ngx_http_headers_in_t copy;
  if (!copy_headers(r->pool, r->headers_in, copy, left_out)) {
    return false;
  }
  use_headers(r, copy);
  return true;
}

ngx_table_elt_t *add_authorization(ngx_http_request_t *r) noexcept {
  auto *element = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_in.headers));
  if (element == nullptr) {
    return nullptr;
  }
  element->key = to_ngx_str("Authorization");
  element->lowcase_key = to_ngx_str("authorization").data;
  element->hash = ngx_hash_key(element->lowcase_key, element->key.len);
  unlink_header(element);
  return element;
}

}  // namespace

bool has_several_authorizations(const ngx_http_headers_in_t &headers_in) noexcept {
  for (const ngx_table_elt_t &header : HeaderList(headers_in.headers)) {
    if (&header != headers_in.authorization && equal_ignoring_case(to_view(header.key), "Authorization")) {
      return true;
    }
  }
  return false;
}

std::string_view make_authorization(ngx_http_request_t *r, std::string_view jwt) noexcept {
  const std::size_t size = oauth::bearer_scheme.size() + jwt.size();
  auto *value = static_cast<char *>(ngx_pnalloc(r->pool, size + 1));
  if (value == nullptr) {
    return {};
  }
  oauth::bearer_scheme.copy(value, oauth::bearer_scheme.size());
  jwt.copy(value + oauth::bearer_scheme.size(), jwt.size());
  value[size] = '\0';
  return {value, size};
}

bool set_authorization(ngx_http_request_t *r, std::string_view value) noexcept {
  if (r != r->main && !own_headers(r, {})) {
    return false;
  }
  if (r->headers_in.authorization == nullptr) {
    ngx_table_elt_t *added = add_authorization(r);
    if (added == nullptr) {
      return false;
    }
    r->headers_in.authorization = added;
  }
  r->headers_in.authorization->value = to_ngx_str(value);
  forget_authorization(r);
  return true;
}

bool remove_authorization(ngx_http_request_t *r) noexcept {
  if (r->headers_in.authorization == nullptr) {
    return true;
  }
  if (!own_headers(r, "Authorization")) {
    return false;
  }
  forget_authorization(r);
  return true;
}

bool remove_headers(ngx_http_request_t *r, std::string_view name) noexcept {
  return find_header(r->headers_in.headers, name) == nullptr || own_headers(r, name);
}

}  // namespace gateway
