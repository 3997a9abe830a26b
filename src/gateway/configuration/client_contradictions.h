#pragma once

#include "module_configuration.h"

namespace gateway {

/// Looks at the gateway's credentials: what its way to authenticate needs, and what it has no use for.
/// @return nullptr, or what stands in a block, and what to do.
const char *find_client_contradiction(const phantom_token_location_t &location) noexcept;

}  // namespace gateway
