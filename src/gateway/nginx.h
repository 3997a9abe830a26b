#pragma once

/* nginx's headers as C++ may include them, and the one place that knows nginx's versions. */

#include "gateway.h"

namespace gateway {

/// A header element that nothing follows: since 1.23.0 elements of one name are linked.
inline void unlink_header(ngx_table_elt_t *header) noexcept {
#if (nginx_version >= 1023000)
  header->next = nullptr;
#else
  (void)header;
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

}  // namespace gateway
