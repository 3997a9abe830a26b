#include "table_zone.h"

#include <algorithm>
#include <ctime>

#include "../../nginx/strings.h"
#include "keep_order.h"

namespace gateway {
namespace {

/// @return the table of a zone that nginx has shared before; nullptr where it is none of this layout.
ExpiringTable *table_in(const ngx_shm_zone_t &zone) noexcept {
  const auto *memory = reinterpret_cast<const ngx_slab_pool_t *>(zone.shm.addr);
  auto *place = memory == nullptr ? nullptr : static_cast<u_char *>(memory->data);
  if (place == nullptr || place < zone.shm.addr || place + sizeof(ExpiringTable) > zone.shm.addr + zone.shm.size) {
    return nullptr;
  }
  auto *table = reinterpret_cast<ExpiringTable *>(place);
  return table->layout == expiring_table_layout ? table : nullptr;
}

ngx_int_t copy_earlier(const TableZone &zone, const ngx_shm_zone_t &earlier) noexcept {
  TableZone source = zone;
  source.memory = reinterpret_cast<ngx_slab_pool_t *>(earlier.shm.addr);
  source.table = table_in(earlier);
  if (source.table == nullptr) {
    return NGX_OK;
  }
  bool has_room = true;
  const TableLock lock(source);
  zone.table->grace = std::max(zone.table->grace, source.table->grace);
  zone.table->forgotten_before = source.table->forgotten_before;
  zone.table->forgotten_until = source.table->forgotten_until;
  const Moment now = current_moment();
  const Moment then = earlier_by(now, zone.table->grace);
  for_each_record(*source.table, then, [&](const ExpiringRecord &record) {
    has_room = has_room && add_record(*zone.table, record, then) != Added::full;
  });
  if (has_room) {
    source.table->closed = now.steady;
    return NGX_OK;
  }
  ngx_log_error(NGX_LOG_EMERG, zone.cycle->log, 0,
                "the zone \"%V\" of \"%s\" has no room for what is in it now: make it larger in %V:%ui",
                &earlier.shm.name, zone.directive, &zone.declared_at.file, zone.declared_at.line);
  return NGX_ERROR;
}

/// @return the zone of this name that the running configuration has, or nullptr.
ngx_shm_zone_t *find_earlier(const ngx_shm_zone_t &zone) noexcept {
  auto *running = const_cast<ngx_cycle_t *>(ngx_cycle);
  for (ngx_list_part_t *part = &running->shared_memory.part; part != nullptr; part = part->next) {
    auto *zones = static_cast<ngx_shm_zone_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; i++) {
      if (to_view(zones[i].shm.name) == to_view(zone.shm.name) && zones[i].shm.addr != zone.shm.addr) {
        return &zones[i];
      }
    }
  }
  return nullptr;
}

/// One piece of memory of all the zone's pages.
ngx_int_t lay_out(const ngx_shm_zone_t &shared, TableZone &zone) noexcept {
  const std::size_t size = zone.memory->pfree * ngx_pagesize;
  void *place = ngx_slab_alloc(zone.memory, size);
  zone.table = place == nullptr ? nullptr : make_expiring_table(place, size);
  if (zone.table == nullptr) {
    return NGX_ERROR;
  }
  zone.memory->data = zone.table;
  const ngx_shm_zone_t *earlier = find_earlier(shared);
  return earlier == nullptr ? NGX_OK : copy_earlier(zone, *earlier);
}

}  // namespace

Moment current_moment() noexcept {
  // Not ngx_current_msec, which begins anew after some weeks where ngx_msec_t has 32 bits.
  timespec steady = {};
  (void)clock_gettime(CLOCK_MONOTONIC, &steady);
  return {ngx_time(), steady.tv_sec};
}

TableLock::TableLock(const TableZone &zone) noexcept : zone_(zone) {
  ngx_shmtx_lock(&zone.memory->mutex);
  if (zone.table->in_use != 0) {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "phantom token: a worker has ended while it had the lock of the zone of \"%s\": its records are all "
                  "there, and are counted anew",
                  zone.directive);
    repair_expiring_table(*zone.table);
  }
  zone.table->in_use = 1;
  keep_order();
}

TableLock::~TableLock() {
  keep_order();
  zone_.table->in_use = 0;
  ngx_shmtx_unlock(&zone_.memory->mutex);
}

void set_declaration(const ngx_conf_t *cf, TableZone &zone) noexcept {
  zone.cycle = cf->cycle;
  zone.declared_at = {cf->conf_file->file.name, cf->conf_file->line};
}

ngx_int_t open_table(const ngx_shm_zone_t &shared, TableZone &zone, const void *earlier) noexcept {
  zone.memory = reinterpret_cast<ngx_slab_pool_t *>(shared.shm.addr);
  if (earlier == nullptr) {
    return lay_out(shared, zone);
  }
  zone.table = table_in(shared);
  if (zone.table == nullptr) {
    ngx_log_error(NGX_LOG_EMERG, zone.cycle->log, 0,
                  "the zone \"%V\" of \"%s\" is of another build of the module: restart nginx, or give the zone "
                  "another size",
                  &shared.shm.name, zone.directive);
    return NGX_ERROR;
  }
  zone.table->closed = 0;  // a reload may have failed since that would have given it another size
  return NGX_OK;
}

bool is_closed(const ExpiringTable &table, Moment now) noexcept {
  constexpr time_t longest = 60;
  return table.closed != 0 && now.steady - table.closed < longest;
}

void sweep_at_times(ExpiringTable &table, Moment now) noexcept {
  if (table.swept != now.steady) {
    table.swept = now.steady;
    sweep_expiring_table(table, now);
  }
}

}  // namespace gateway
