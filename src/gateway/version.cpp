// Which version this is, and where nginx says so.

#include "gateway.h"

namespace {

/// Nowhere else in the sources. `./dev check` holds debian/changelog and CHANGELOG.md against it.
constexpr char version[] = "1.0.0";

}  // namespace

extern "C" ngx_int_t phantom_token_init_module(ngx_cycle_t *cycle) {
  // `nginx -t` comes here too, and starts nothing.
  if (ngx_test_config == 0) {
    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "phantom token: version %s", version);
  }
  return NGX_OK;
}
