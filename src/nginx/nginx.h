#pragma once

/* nginx's headers as C++ may include them, and the one place that knows nginx's versions. */

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
}

namespace nginx {

/// A header element that nothing follows: since 1.23.0 elements of one name are linked.
inline void unlink_header(ngx_table_elt_t *header) noexcept {
#if (nginx_version >= 1023000)
  header->next = nullptr;
#else
  (void)header;
#endif
}

/// Links a header element to the next one of its name, where nginx has such links.
inline void link_header(ngx_table_elt_t *header, ngx_table_elt_t *next) noexcept {
#if (nginx_version >= 1023000)
  header->next = next;
#else
  (void)header;
  (void)next;
#endif
}

/// Before 1.23.0 nginx keeps arrays of pointers for headers that may come several times.
/// @param offset in ngx_http_headers_in_t.
constexpr bool is_header_array([[maybe_unused]] ngx_uint_t offset) noexcept {
#if (nginx_version >= 1023000)
  return false;
#elif (NGX_HTTP_X_FORWARDED_FOR)
  return offset == offsetof(ngx_http_headers_in_t, cookies) ||
         offset == offsetof(ngx_http_headers_in_t, x_forwarded_for);
#else
  return offset == offsetof(ngx_http_headers_in_t, cookies);
#endif
}

#if (nginx_version < 1023000)
template <typename Translate>
bool follow_array(ngx_pool_t *pool, ngx_array_t &array, Translate translate) noexcept {
  if (array.nelts == 0) {
    return true;
  }
  const ngx_array_t original = array;
  if (ngx_array_init(&array, pool, original.nelts, sizeof(ngx_table_elt_t *)) != NGX_OK) {
    return false;
  }
  for (ngx_uint_t i = 0; i < original.nelts; i++) {
    ngx_table_elt_t *element = translate(static_cast<ngx_table_elt_t **>(original.elts)[i]);
    static_cast<ngx_table_elt_t **>(array.elts)[i] = element;
  }
  array.nelts = original.nelts;
  return true;
}
#endif

/// In the copy of a request's headers, whose list has one part: leads what joins headers of one name to the copies too.
/// @param translate gives the copy of an element.
/// @return false where there is no memory.
template <typename Translate>
bool follow_links([[maybe_unused]] ngx_pool_t *pool, ngx_http_headers_in_t &copy, Translate translate) noexcept {
#if (nginx_version >= 1023000)
  auto *elements = static_cast<ngx_table_elt_t *>(copy.headers.part.elts);
  for (ngx_uint_t i = 0; i < copy.headers.part.nelts; i++) {
    if (elements[i].next != nullptr) {
      elements[i].next = translate(elements[i].next);
    }
  }
  return true;
#elif (NGX_HTTP_X_FORWARDED_FOR)
  return follow_array(pool, copy.cookies, translate) && follow_array(pool, copy.x_forwarded_for, translate);
#else
  return follow_array(pool, copy.cookies, translate);
#endif
}

#if (NGX_HTTP_SSL)
/// @return whether the location is known to pass requests on by TLS. Since 1.23.0 locations share TLS contexts, and all
///   of them have one: what is known is the port of https, where proxy_pass names a server without another.
inline bool passes_to_https(const ngx_http_upstream_conf_t &upstream) noexcept {
#if (nginx_version < 1023000)
  return upstream.ssl != nullptr;
#else
  return upstream.upstream != nullptr && upstream.upstream->port == 443;
#endif
}
#endif

/// @return whether the client's connection is encrypted, as $scheme has it.
inline bool has_tls([[maybe_unused]] const ngx_http_request_t *r) noexcept {
#if (NGX_HTTP_SSL)
  return r->connection->ssl != nullptr;
#else
  return false;
#endif
}

/// @param configuration of a server, of nginx's module for TLS.
/// @return whether its `ssl_verify_client` is not `off`.
inline bool verifies_clients([[maybe_unused]] const void *configuration) noexcept {
#if (NGX_HTTP_SSL)
  return static_cast<const ngx_http_ssl_srv_conf_t *>(configuration)->verify != 0;
#else
  return false;
#endif
}

}  // namespace nginx
