#pragma once

#include "table_zone.h"

namespace gateway {

/// The data of a zone of phantom_token_revocation.
struct RevocationZone : TableZone {
  RevocationZone() noexcept : TableZone(ZoneKind::revocations, "phantom_token_revocation") {}

  time_t keep = 0;                         ///< seconds from the coming of an entry to its end
  ngx_str_t state_file = ngx_null_string;  ///< with a terminator; empty: none
  time_t complained = 0;                   ///< of this process: when it has logged that it cannot follow the file
};

inline RevocationZone &revocations_of(const ngx_shm_zone_t &zone) noexcept {
  return *static_cast<RevocationZone *>(zone.data);
}

}  // namespace gateway
