#include "subrequest_headers.h"

#include <algorithm>

#include "../../nginx/header_list.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "request_state.h"

namespace gateway {
namespace {

struct Header {
  std::string_view name;
  std::string_view lowercase_name;
  std::string_view value;
  ngx_table_elt_t *ngx_http_headers_in_t::*field;  ///< nullptr where nginx keeps no pointer to it
};

bool add_header(ngx_http_headers_in_t &headers_in, const Header &header) noexcept {
  auto *element = static_cast<ngx_table_elt_t *>(ngx_list_push(&headers_in.headers));
  if (element == nullptr) {
    return false;
  }
  element->key = to_ngx_str(header.name);
  element->value = to_ngx_str(header.value);
  element->lowcase_key = to_ngx_str(header.lowercase_name).data;
  element->hash = ngx_hash_key(element->lowcase_key, header.lowercase_name.size());
  unlink_header(element);
  if (header.field != nullptr) {
    headers_in.*header.field = element;
  }
  return true;
}

bool add_body_headers(ngx_pool_t *pool, std::string_view body, ngx_http_headers_in_t &headers_in) noexcept {
  auto *length = static_cast<u_char *>(ngx_pnalloc(pool, NGX_SIZE_T_LEN));
  if (length == nullptr) {
    return false;
  }
  const u_char *end = ngx_sprintf(length, "%uz", body.size());
  headers_in.content_length_n = static_cast<off_t>(body.size());
  return add_header(headers_in, {"Content-Type", "content-type", "application/x-www-form-urlencoded",
                                 &ngx_http_headers_in_t::content_type}) &&
         add_header(headers_in,
                    {"Content-Length", "content-length", to_view({static_cast<size_t>(end - length), length}),
                     &ngx_http_headers_in_t::content_length});
}

/// Nothing that the client sent. $http_host alone is the client's: by the pointer, since what is not on the list is not
/// sent on.
bool make_own(const ngx_http_request_t *r, const OwnHeaders &own, ngx_http_headers_in_t &headers_in) noexcept {
  if (ngx_list_init(&headers_in.headers, r->pool, 5, sizeof(ngx_table_elt_t)) != NGX_OK) {
    return false;
  }
  headers_in.host = r->headers_in.host;
  headers_in.keep_alive_n = -1;
  headers_in.content_length_n = -1;
  return add_header(headers_in, {"Accept", "accept", own.accept, nullptr}) &&
         add_header(headers_in,
                    {"User-Agent", "user-agent", "nginx-phantom-token", &ngx_http_headers_in_t::user_agent}) &&
         (own.authorization.empty() || add_header(headers_in, {"Authorization", "authorization", own.authorization,
                                                               &ngx_http_headers_in_t::authorization})) &&
         (own.body.empty() || add_body_headers(r->pool, own.body, headers_in));
}

bool copy_clients(const ngx_http_request_t *r, SubrequestHeaders &headers) noexcept {
  ngx_http_headers_in_t &clients = headers.clients;
  if (!copy_headers(r->pool, r->headers_in, clients, {})) {
    return false;
  }
  clients.content_length_n = -1;
  clients.chunked = 0;
  // After a redirect, the parent's holds a JWT.
  const RequestState *state = find_state_above(r);
  if (state != nullptr && clients.authorization != nullptr) {
    headers.authorization = state->authorization;
    clients.authorization->value = state->authorization;
  }
  return true;
}

bool shares_bytes(const ngx_str_t &one, const ngx_str_t &other) noexcept {
  return one.data == other.data && one.len == other.len;
}

/// Whether a copied header is still what the original is: the two share their bytes.
bool is_unchanged(const ngx_table_elt_t &copy, const ngx_table_elt_t &original) noexcept {
  return shares_bytes(copy.value, original.value) && shares_bytes(copy.key, original.key);
}

/// @param expected where the header stands among the parent's if nobody has taken one out before it.
bool is_clients(const ngx_table_elt_t &header, const SubrequestHeaders &headers,
                HeaderList::Iterator &expected) noexcept {
  const HeaderList parents(headers.parents.headers);
  if (expected != parents.end() &&
      (is_unchanged(header, *expected) || shares_bytes(header.value, headers.authorization))) {
    ++expected;
    return true;
  }
  return shares_bytes(header.value, headers.authorization) ||
         std::any_of(parents.begin(), parents.end(),
                     [&](const ngx_table_elt_t &original) { return is_unchanged(header, original); });
}

/// The body is the gateway's, and so is its length.
bool describes_body(const ngx_table_elt_t &header) noexcept {
  return equal_ignoring_case(to_view(header.key), "Content-Length") ||
         equal_ignoring_case(to_view(header.key), "Transfer-Encoding");
}

bool set_header(ngx_http_headers_in_t &headers_in, const ngx_table_elt_t &header) noexcept {
  ngx_table_elt_t *element = find_header(headers_in.headers, to_view(header.key));
  if (element == nullptr) {
    element = static_cast<ngx_table_elt_t *>(ngx_list_push(&headers_in.headers));
  }
  if (element == nullptr) {
    return false;
  }
  *element = header;
  unlink_header(element);
  for (const ngx_http_header_t *known = ngx_http_headers_in; known->name.len != 0; known++) {
    ngx_table_elt_t **field = find_header_field(headers_in, *known);
    if (field != nullptr && equal_ignoring_case(to_view(known->name), to_view(header.key))) {
      *field = element;
    }
  }
  return true;
}

}  // namespace

SubrequestHeaders *make_subrequest_headers(const ngx_http_request_t *r, const OwnHeaders &own) noexcept {
  auto *headers = make<SubrequestHeaders>(r->pool);
  if (headers == nullptr || !make_own(r, own, headers->own) || !copy_clients(r, *headers)) {
    return nullptr;
  }
  headers->parents = r->headers_in;
  return headers;
}

void lend_clients_headers(ngx_http_request_t *subrequest, const SubrequestHeaders &headers) noexcept {
  use_headers(subrequest, headers.clients);
}

bool take_own_headers(ngx_http_request_t *subrequest, const SubrequestHeaders &headers) noexcept {
  const ngx_http_headers_in_t lent = subrequest->headers_in;
  use_headers(subrequest, headers.own);
  subrequest->headers_in.server = lent.server;
  HeaderList::Iterator expected = HeaderList(headers.parents.headers).begin();
  for (const ngx_table_elt_t &header : HeaderList(lent.headers)) {
    const bool is_locations = header.hash != 0 && !is_clients(header, headers, expected) && !describes_body(header);
    if (is_locations && !set_header(subrequest->headers_in, header)) {
      return false;
    }
  }
  return true;
}

void restore_parents_headers(ngx_http_request_t *parent, const SubrequestHeaders &headers) noexcept {
  if (parent->headers_in.headers.part.elts != headers.parents.headers.part.elts) {
    use_headers(parent, headers.parents);
  }
}

}  // namespace gateway
