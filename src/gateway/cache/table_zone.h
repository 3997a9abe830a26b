#pragma once

#include "../configuration/module_configuration.h"
#include "../configuration/zones.h"
#include "expiring_table.h"

namespace gateway {

/// The data of a zone whose memory is one table.
struct TableZone : DeclaredZone {
  TableZone(ZoneKind kind, const char *directive_name) noexcept : DeclaredZone{kind}, directive(directive_name) {}

  const char *directive;  ///< that declares it, for messages
  phantom_token_position_t declared_at = {};
  const ngx_cycle_t *cycle = nullptr;  ///< of the configuration
  ngx_slab_pool_t *memory = nullptr;   ///< whose mutex guards the table
  ExpiringTable *table = nullptr;
};

/// The table's mutex, held as long as this lives. A worker that is killed within leaves the table half changed; the
/// master then frees the mutex by force (ngx_unlock_mutexes). Who takes it next finds the mark, and repairs the table.
class TableLock {
 public:
  explicit TableLock(const TableZone &zone) noexcept;
  ~TableLock();
  TableLock(const TableLock &) = delete;
  TableLock &operator=(const TableLock &) = delete;
  TableLock(TableLock &&) = delete;
  TableLock &operator=(TableLock &&) = delete;

 private:
  const TableZone &zone_;
};

Moment current_moment() noexcept;

/// @return the moment so many seconds before.
inline Moment earlier_by(Moment moment, std::time_t seconds) noexcept {
  return {moment.wall - seconds, moment.steady - seconds};
}

/// Notes where the line stands that declares the zone.
void set_declaration(const ngx_conf_t *cf, TableZone &zone) noexcept;

/// Finds the zone's table, or lays a new one out, with the records that a zone of this name has which nginx does not
/// take over: one of another size, or of another build of this module. To be called when nginx initializes the zone: in
/// the master process, or on a reload the one that was there.
/// @param earlier what nginx gives the initialization: nullptr for a new zone. It is not asked, since an earlier build
///   of this module may have made it.
/// @return NGX_OK; or NGX_ERROR, which has been logged.
ngx_int_t open_table(const ngx_shm_zone_t &shared, TableZone &zone, const void *earlier) noexcept;

/// @return whether a reload has taken the records into a zone of another size: what a worker of the old one records
///   now, the new one would not hear of. Only for a while, since the reload may have failed.
bool is_closed(const ExpiringTable &table, Moment now) noexcept;

/// Removes some of what has ended, once a second, so that a table in which all has ended costs nothing again.
void sweep_at_times(ExpiringTable &table, Moment now) noexcept;

}  // namespace gateway
