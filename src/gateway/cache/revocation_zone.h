#pragma once

#include "../configuration/module_configuration.h"
#include "../configuration/zones.h"
#include "revocation_table.h"

namespace gateway {

/// The data of a zone's ngx_shm_zone_t.
struct RevocationZone : DeclaredZone {
  RevocationZone() noexcept : DeclaredZone{ZoneKind::revocations} {}

  time_t keep = 0;                         ///< seconds from the coming of an entry to its end
  ngx_str_t state_file = ngx_null_string;  ///< with a terminator; empty: none
  phantom_token_position_t declared_at = {};
  const ngx_cycle_t *cycle = nullptr;  ///< of the configuration
  ngx_slab_pool_t *memory = nullptr;   ///< whose mutex guards the table
  RevocationTable *table = nullptr;
  time_t complained = 0;  ///< of this process: when it has logged that it cannot follow the file
};

inline RevocationZone &revocations_of(const ngx_shm_zone_t &zone) noexcept {
  return *static_cast<RevocationZone *>(zone.data);
}

/// The zone's mutex, held as long as this lives. A worker that is killed within leaves the table half changed; the
/// master then frees the mutex by force (ngx_unlock_mutexes). Who takes it next finds the mark, and repairs the table.
class RevocationLock {
 public:
  explicit RevocationLock(const RevocationZone &zone) noexcept;
  ~RevocationLock();
  RevocationLock(const RevocationLock &) = delete;
  RevocationLock &operator=(const RevocationLock &) = delete;
  RevocationLock(RevocationLock &&) = delete;
  RevocationLock &operator=(RevocationLock &&) = delete;

 private:
  const RevocationZone &zone_;
};

RevocationTime revocation_time() noexcept;

}  // namespace gateway
