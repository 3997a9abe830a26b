#pragma once

#include "module_configuration.h"

namespace gateway {

/// @return nullptr, or what stands in a location by phantom_token_forward, and what to do.
const char *find_signing_contradiction(const phantom_token_location_t &location) noexcept;

}  // namespace gateway
