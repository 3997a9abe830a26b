#pragma once

#include "../subrequest/request_state.h"
#include "access_step.h"

namespace gateway {

/// Whether a token that is active otherwise has been revoked, by phantom_token_revocation. Its hot copy is dropped
/// then.
AccessStep check_revocation(const RequestState &state, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
