#include "version.h"

#include "gateway.h"

namespace gateway {

// Nowhere else in the sources. `./dev check` holds debian/changelog and CHANGELOG.md against it.
const char version[] = "1.0.0";

}  // namespace gateway

extern "C" ngx_int_t phantom_token_init_module(ngx_cycle_t *cycle) {
  // `nginx -t` comes here too, and starts nothing.
  if (ngx_test_config == 0) {
    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "phantom token: version %s", gateway::version);
  }
  return NGX_OK;
}
