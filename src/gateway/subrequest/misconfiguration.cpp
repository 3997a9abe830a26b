#include "misconfiguration.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "cache_guard.h"

namespace gateway {

const char *find_misconfiguration(ngx_http_request_t *subrequest, const AsRequest &request) noexcept {
  // A location that answers in its rewrite phase has not passed the preaccess phase; nothing that asks a server does
  // so.
  if (request.running.progress != Progress::arrived && subrequest->upstream != nullptr) {
    return "another module keeps the subrequest from the preaccess and precontent phases: load this module after it";
  }
  if (!is_internal(core_location_of(subrequest))) {
    return "clients can reach its location: add \"internal;\"";
  }
  const char *unnamed_server = find_unnamed_server(subrequest, request.asked);
  return unnamed_server != nullptr ? unnamed_server : find_unsafe_cache_key(subrequest, request.asked);
}

}  // namespace gateway
