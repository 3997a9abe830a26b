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

}  // namespace gateway
