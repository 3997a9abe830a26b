// phantom_token_dpop_replay: its lines, the zone that one of them declares, and what is in it: the proofs that have
// been used. A record's end is the proof's `iat`; how long it stays after that is a matter of the whole zone, so that a
// reload with a longer phantom_token_dpop_max_age holds for what was recorded before.

#include "replays.h"

#include <algorithm>
#include <cstring>

#include "../../jose/digest.h"
#include "../../jose/thumbprint.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../configuration/blocks.h"

namespace gateway {
namespace {

constexpr std::uint32_t kind_of_proofs = 0;

bool make_key(const UsedProof &proof, ExpiringKey &key) noexcept {
  constexpr std::size_t longest_jti = 1024;  // 256 characters of UTF-8
  char text[jose::thumbprint_size + longest_jti];
  const std::size_t size =
      proof.thumbprint.copy(text, jose::thumbprint_size) + proof.jti.copy(text + jose::thumbprint_size, longest_jti);
  key.kind = kind_of_proofs;
  static_assert(ExpiringKey::digest_size == jose::sha256_size);
  if (!jose::sha256({text, size}, key.value)) {
    return false;
  }
  std::memcpy(&key.hash, key.value, sizeof(key.hash));
  return true;
}

/// Notes that proofs from before a time may be forgotten, though they could still be accepted.
void note_forgotten(const ReplayZone &zone, std::int64_t before, Moment now) noexcept {
  ExpiringTable &table = *zone.table;
  const bool is_noted = now.steady < table.forgotten_until;
  table.forgotten_before = is_noted ? std::max(table.forgotten_before, before) : before;
  table.forgotten_until = now.steady + table.grace + zone.longest_wait;
}

bool may_be_forgotten(const ExpiringTable &table, std::int64_t iat, Moment now) noexcept {
  return now.steady < table.forgotten_until && iat < table.forgotten_before;
}

bool has_free_entry(const ExpiringTable &table) noexcept {
  return table.free != 0 || table.unused <= table.capacity;
}

/// A search for room goes through the whole table: once a second is enough.
Use add(ReplayZone &zone, const ExpiringRecord &record, Moment now) noexcept {
  ExpiringTable &table = *zone.table;
  const bool is_sought = !has_free_entry(table);
  if (is_sought && zone.full_at == now.steady) {
    return Use::full;
  }
  const Moment ended = earlier_by(now, table.grace);
  if (is_sought) {
    note_forgotten(zone, ended.wall, now);
  }
  if (add_record(table, record, ended) != Added::full) {
    return Use::first;
  }
  zone.full_at = now.steady;
  return Use::full;
}

/// A reload has taken the proofs into a zone of another size. A worker that goes on behind that has seen the reload
/// fail.
bool is_closing(const ExpiringTable &table, Moment now) noexcept {
  constexpr time_t until_workers_know = 5;
  return table.closed != 0 && (ngx_exiting != 0 || now.steady - table.closed < until_workers_know);
}

Use look_up_and_add(ReplayZone &zone, const ExpiringRecord &record, const UsedProof &proof) noexcept {
  const Moment now = current_moment();
  const Moment received = earlier_by(now, now.wall - std::min(proof.received, now.wall));
  const TableLock lock(zone);
  ExpiringTable &table = *zone.table;
  sweep_at_times(table, earlier_by(now, table.grace + zone.longest_wait));
  if (find_record(table, record.key, earlier_by(received, table.grace)) != nullptr) {
    return Use::again;
  }
  if (may_be_forgotten(table, proof.iat, now)) {
    return Use::forgotten;
  }
  return is_closing(table, now) ? Use::closed : add(zone, record, now);
}

ngx_int_t initialize(ngx_shm_zone_t *zone, void *earlier) noexcept {
  ReplayZone &ours = replays_of(*zone);
  if (open_table(*zone, ours, earlier) != NGX_OK) {
    return NGX_ERROR;
  }
  const TableLock lock(ours);
  ExpiringTable &table = *ours.table;
  const Moment now = current_moment();
  const time_t old_grace = table.grace;
  table.grace = std::max(old_grace, ours.longest_age);
  // Of what a zone of another size had, only that has been copied which still counted there.
  const bool is_copy = earlier == nullptr;
  if (old_grace != 0 && (is_copy || old_grace < table.grace)) {
    note_forgotten(ours, earlier_by(now, is_copy ? old_grace : old_grace + ours.longest_wait).wall, now);
  }
  return NGX_OK;
}

/// @return a line for the log; nullptr where there is no memory.
const char *describe_full_zone(ngx_pool_t *pool, const ngx_str_t &name) noexcept {
  constexpr const char *format =
      "the zone \"%V\" of \"phantom_token_dpop_replay\" is full of proofs that still count: make it larger, or "
      "\"phantom_token_dpop_max_age\" shorter";
  auto *text = static_cast<u_char *>(ngx_pnalloc(pool, ngx_strlen(format) + name.len + 1));
  if (text == nullptr) {
    return nullptr;
  }
  *ngx_sprintf(text, format, &name) = '\0';
  return reinterpret_cast<const char *>(text);
}

char *declare(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const auto *arguments = static_cast<const ngx_str_t *>(cf->args->elts) + 1;
  ZoneParameters parameters;
  for (ngx_uint_t i = 0; i < cf->args->nelts - 1; i++) {
    const char *problem = has_prefix(to_view(arguments[i]), zone_parameter)
                              ? read_zone(to_view(arguments[i]).substr(zone_parameter.size()), parameters)
                              : "has an invalid parameter";
    if (problem != nullptr) {
      return refuse_zone_line(cf, cmd, problem, arguments[i]);
    }
  }
  auto *data = make<ReplayZone>(cf->pool);
  if (data == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  set_declaration(cf, *data);
  data->full = describe_full_zone(cf->pool, printable(cf->pool, parameters.name));
  return data->full == nullptr ? static_cast<char *>(NGX_CONF_ERROR)
                               : declare_zone(cf, cmd, parameters, data, initialize, main_of(cf).replays);
}

}  // namespace

Use record_use(const ngx_shm_zone_t &zone, const UsedProof &proof) noexcept {
  ExpiringRecord record;
  record.end = static_cast<time_t>(proof.iat) + 1;
  return make_key(proof, record.key) ? look_up_and_add(replays_of(zone), record, proof) : Use::failed;
}

ReplayUse replay_use(const ngx_shm_zone_t &zone) noexcept {
  const ReplayZone &ours = replays_of(zone);
  const TableLock lock(ours);
  ReplayUse use = {0, ours.table->capacity};
  for_each_record(*ours.table, earlier_by(current_moment(), ours.table->grace),
                  [&use](const ExpiringRecord & /*record*/) { use.entries++; });
  return use;
}

void note_longest_ages(const phantom_token_main_t &main) noexcept {
  for (const phantom_token_block_t &block : blocks_of(main)) {
    const phantom_token_location_t &location = *block.location;
    if (location.dpop_replay != nullptr && is_declared(*location.dpop_replay, ZoneKind::replays)) {
      ReplayZone &zone = replays_of(*location.dpop_replay);
      zone.longest_age = std::max(zone.longest_age, location.dpop_max_age);
      // A request may wait for the answer to another, and then ask itself.
      const auto timeout = static_cast<time_t>(location.response_timeout / 1000);
      zone.longest_wait = std::max(zone.longest_wait, 2 * timeout + 1);
    }
  }
}

}  // namespace gateway

extern "C" char *phantom_token_set_dpop_replay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  constexpr std::string_view parameters[] = {gateway::zone_parameter};
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  return gateway::read_zone_line(cf, cmd, {parameters, std::size(parameters), gateway::declare}, location.dpop_replay,
                                 location.dpop_replay_at);
}
