#include "authorization.h"

#include "text.h"
#include "variables.h"

namespace gateway {
namespace {

/// nginx keeps pointers to well-known headers beside the list: they are to lead to the copy.
void follow(ngx_http_request_t *r, const ngx_table_elt_t *from, ngx_table_elt_t *to) noexcept {
  if (from->lowcase_key == nullptr) {
    return;  // not one that nginx has parsed
  }
  auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
  const auto *known = static_cast<const ngx_http_header_t *>(
      ngx_hash_find(&cmcf->headers_in_hash, from->hash, from->lowcase_key, from->key.len));
  if (known == nullptr || known->offset == 0) {
    return;
  }
  auto **field = reinterpret_cast<ngx_table_elt_t **>(reinterpret_cast<char *>(&r->headers_in) + known->offset);
  if (*field == from) {
    *field = to;
  }
}

/// Gives the request a header list of its own, in which no element but Authorization has changed its place.
/// @param keep_authorization whether that header comes along.
bool copy_headers(ngx_http_request_t *r, bool keep_authorization) noexcept {
  ngx_table_elt_t *authorization = r->headers_in.authorization;
  const ngx_list_t original = r->headers_in.headers;
  ngx_list_t &copy = r->headers_in.headers;
  if (ngx_list_init(&copy, r->pool, original.nalloc, sizeof(ngx_table_elt_t)) != NGX_OK) {
    copy = original;
    return false;
  }
  for (const ngx_list_part_t *part = &original.part; part != nullptr; part = part->next) {
    auto *elements = static_cast<ngx_table_elt_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; i++) {
      if (&elements[i] == authorization && !keep_authorization) {
        continue;
      }
      auto *element = static_cast<ngx_table_elt_t *>(ngx_list_push(&copy));
      if (element == nullptr) {
        return false;
      }
      *element = elements[i];
      follow(r, &elements[i], element);
    }
  }
  return true;
}

ngx_table_elt_t *add_authorization(ngx_http_request_t *r) noexcept {
  auto *element = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_in.headers));
  if (element == nullptr) {
    return nullptr;
  }
  element->key = text("Authorization");
  element->lowcase_key = text("authorization").data;
  element->hash = ngx_hash_key(element->lowcase_key, element->key.len);
  unlink_header(element);
  return element;
}

}  // namespace

std::string_view make_authorization(ngx_http_request_t *r, std::string_view jwt) noexcept {
  const std::size_t size = bearer_scheme.size() + jwt.size();
  auto *value = static_cast<char *>(ngx_pnalloc(r->pool, size + 1));
  if (value == nullptr) {
    return {};
  }
  bearer_scheme.copy(value, bearer_scheme.size());
  jwt.copy(value + bearer_scheme.size(), jwt.size());
  value[size] = '\0';
  return {value, size};
}

bool set_authorization(ngx_http_request_t *r, std::string_view value) noexcept {
  if (r != r->main && !copy_headers(r, true)) {
    return false;
  }
  if (r->headers_in.authorization == nullptr) {
    ngx_table_elt_t *added = add_authorization(r);
    if (added == nullptr) {
      return false;
    }
    r->headers_in.authorization = added;
  }
  r->headers_in.authorization->value = text(value);
  forget_authorization(r);
  return true;
}

bool remove_authorization(ngx_http_request_t *r) noexcept {
  if (r->headers_in.authorization == nullptr) {
    return true;
  }
  if (!copy_headers(r, false)) {
    return false;
  }
  r->headers_in.authorization = nullptr;
  forget_authorization(r);
  return true;
}

}  // namespace gateway
