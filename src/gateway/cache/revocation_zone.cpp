#include "revocation_zone.h"

#include <ctime>

#include "keep_order.h"

namespace gateway {

RevocationTime revocation_time() noexcept {
  // Not ngx_current_msec, which begins anew after some weeks where ngx_msec_t has 32 bits.
  timespec steady = {};
  (void)clock_gettime(CLOCK_MONOTONIC, &steady);
  return {ngx_time(), steady.tv_sec};
}

RevocationLock::RevocationLock(const RevocationZone &zone) noexcept : zone_(zone) {
  ngx_shmtx_lock(&zone.memory->mutex);
  if (zone.table->in_use != 0) {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "phantom token: a worker has ended while it had the lock of the revocations: they are all there, and "
                  "are counted anew");
    repair_revocation_table(*zone.table);
  }
  zone.table->in_use = 1;
  keep_order();
}

RevocationLock::~RevocationLock() {
  keep_order();
  zone_.table->in_use = 0;
  ngx_shmtx_unlock(&zone_.memory->mutex);
}

}  // namespace gateway
