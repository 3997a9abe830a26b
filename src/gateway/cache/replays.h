#pragma once

#include <cstdint>
#include <string_view>

#include "table_zone.h"

namespace gateway {

/// The data of a zone of phantom_token_dpop_replay.
struct ReplayZone : TableZone {
  ReplayZone() noexcept : TableZone(ZoneKind::replays, "phantom_token_dpop_replay") {}

  const char *full = nullptr;  ///< what the log says when the zone is full
  time_t longest_age = 0;      ///< seconds: the longest phantom_token_dpop_max_age that uses the zone
  /// Seconds: proofs stay so much longer than they count, where there is room. A request whose proof was still good
  /// when it came may have waited for the authorization server.
  time_t longest_wait = 120;
  time_t full_at = 0;  ///< of this process: when the zone was last full, by the clock that nobody sets
};

inline ReplayZone &replays_of(const ngx_shm_zone_t &zone) noexcept {
  return *static_cast<ReplayZone *>(zone.data);
}

/// A proof that has passed all checks.
struct UsedProof {
  std::string_view thumbprint;  ///< of its key
  std::string_view jti;
  std::int64_t iat;  ///< seconds since the epoch
  time_t received;   ///< when its request came, likewise
};

enum class Use : std::uint8_t {
  first,
  again,      ///< it has been used before
  forgotten,  ///< it is so old that its use may be forgotten
  full,       ///< the zone is full of proofs that still count
  closed,     ///< a reload is giving the zone another size
  failed,     ///< OpenSSL failed
};

/// Records that a proof has been used (RFC 9449 section 11.1). What it returns but for `first` is a refusal.
Use record_use(const ngx_shm_zone_t &zone, const UsedProof &proof) noexcept;

struct ReplayUse {
  ngx_uint_t entries;  ///< those that still count
  ngx_uint_t capacity;
};

ReplayUse replay_use(const ngx_shm_zone_t &zone) noexcept;

/// Notes the longest age of proofs for each zone, when the whole configuration has been read.
void note_longest_ages(const phantom_token_main_t &main) noexcept;

}  // namespace gateway
