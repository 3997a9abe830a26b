#include "header_list.h"

namespace nginx {
namespace {

/// An original list and its copy, which has one part and the same order.
struct ListCopy {
  const ngx_list_t &originals;
  ngx_table_elt_t *copies;
  std::string_view left_out;

  bool leaves_out(const ngx_table_elt_t &header) const noexcept {
    return !left_out.empty() && equal_ignoring_case(to_view(header.key), left_out);
  }
};

/// @return the copy of an element, or nullptr where it is left out; the element itself where it is not on the list.
ngx_table_elt_t *counterpart(const ListCopy &lists, ngx_table_elt_t *element) noexcept {
  ngx_table_elt_t *copy = lists.copies;
  for (const ngx_table_elt_t &original : HeaderList(lists.originals)) {
    const bool is_left_out = lists.leaves_out(original);
    if (&original == element) {
      return is_left_out ? nullptr : copy;
    }
    copy += is_left_out ? 0 : 1;
  }
  return element;
}

ngx_uint_t count_elements(const ngx_list_t &list) noexcept {
  ngx_uint_t count = 0;
  for (const ngx_list_part_t *part = &list.part; part != nullptr; part = part->next) {
    count += part->nelts;
  }
  return count;
}

}  // namespace

ngx_table_elt_t **find_header_field(ngx_http_headers_in_t &headers_in, const ngx_http_header_t &known) noexcept {
  if (known.offset == 0 || is_header_array(known.offset)) {
    return nullptr;
  }
  return reinterpret_cast<ngx_table_elt_t **>(reinterpret_cast<char *>(&headers_in) + known.offset);
}

bool copy_headers(ngx_pool_t *pool, const ngx_http_headers_in_t &from, ngx_http_headers_in_t &to,
                  std::string_view left_out) noexcept {
  to = from;
  if (ngx_list_init(&to.headers, pool, count_elements(from.headers) + 1, sizeof(ngx_table_elt_t)) != NGX_OK) {
    return false;
  }
  auto *copies = static_cast<ngx_table_elt_t *>(to.headers.part.elts);
  const ListCopy lists = {from.headers, copies, left_out};
  for (const ngx_table_elt_t &original : HeaderList(from.headers)) {
    if (!lists.leaves_out(original)) {
      copies[to.headers.part.nelts++] = original;
    }
  }

  const auto translate = [&lists](ngx_table_elt_t *element) { return counterpart(lists, element); };
  for (const ngx_http_header_t *known = ngx_http_headers_in; known->name.len != 0; known++) {
    ngx_table_elt_t **field = find_header_field(to, *known);
    if (field != nullptr && *field != nullptr) {
      *field = translate(*field);
    }
  }
  return follow_links(pool, to, translate);
}

void use_headers(ngx_http_request_t *r, const ngx_http_headers_in_t &headers_in) noexcept {
  r->headers_in = headers_in;
  // ngx_list_t points into itself while it has one part.
  if (r->headers_in.headers.part.next == nullptr) {
    r->headers_in.headers.last = &r->headers_in.headers.part;
  }
}

}  // namespace nginx
