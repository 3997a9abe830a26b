#pragma once

#include "revocation_zone.h"

namespace gateway {

/// Reads the file into the zone and writes it anew with what is alive; in the master process, or under `nginx -t`,
/// which only reads. Logs what is wrong.
/// @return NGX_OK, or NGX_ERROR: nginx must not start.
ngx_int_t load_state_file(RevocationZone &zone) noexcept;

/// Takes what others have written since: workers of another nginx, such as one that is replacing this one.
void follow_state_file(RevocationZone &zone) noexcept;

}  // namespace gateway
