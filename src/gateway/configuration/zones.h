#pragma once

#include <string_view>

#include "module_configuration.h"

namespace gateway {

/// The name of the zone that the counters of phantom_token_metrics are in: no other zone of this module may have it.
constexpr std::string_view metrics_zone = "phantom_token_metrics";

/// @return whether a line has declared the zone of this module that another one names.
inline bool is_declared(const ngx_shm_zone_t &zone) noexcept {
  return zone.data != nullptr;
}

}  // namespace gateway
