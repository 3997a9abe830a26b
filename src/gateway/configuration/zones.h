#pragma once

#include <string_view>

#include "module_configuration.h"

namespace gateway {

/// The name of the zone that the counters of phantom_token_metrics are in: no other zone of this module may have it.
constexpr std::string_view metrics_zone = "phantom_token_metrics";

enum class ZoneKind : ngx_uint_t { hot_cache = 1, revocations, replays };

/// What the data of a zone that a line declares begins with.
struct DeclaredZone {
  ZoneKind kind;
};

/// @return whether a line of this kind has declared the zone of this module.
inline bool is_declared(const ngx_shm_zone_t &zone, ZoneKind kind) noexcept {
  return zone.data != nullptr && static_cast<const DeclaredZone *>(zone.data)->kind == kind;
}

inline bool has_prefix(std::string_view text, std::string_view prefix) noexcept {
  return text.substr(0, prefix.size()) == prefix;
}

/// What a directive says of its zone.
struct ZoneParameters {
  std::string_view name;  ///< empty: not given
  ssize_t size = 0;
};

constexpr std::string_view zone_parameter = "zone=";

/// Reads NAME:SIZE.
/// @return nullptr, or a constant that says what is wrong, to go before the value.
const char *read_zone(std::string_view value, ZoneParameters &zone) noexcept;

/// Reads a time of whole seconds.
/// @return what read_zone() returns.
const char *read_zone_time(std::string_view value, time_t &seconds) noexcept;

/// Logs what is wrong with the directive's line.
/// @return what its setter is to return.
char *refuse_zone_line(ngx_conf_t *cf, const ngx_command_t *cmd, const char *problem, const ngx_str_t &value) noexcept;

/// Declares the zone. Its data is not set where another line has done so.
/// @param list of ngx_shm_zone_t *, where it is added.
/// @return what the setter is to return.
char *declare_zone(ngx_conf_t *cf, const ngx_command_t *cmd, const ZoneParameters &parameters, DeclaredZone *data,
                   ngx_shm_zone_init_pt init, ngx_array_t &list) noexcept;

/// A directive that declares a zone where it has one of these parameters, and else chooses one by its name.
struct ZoneDirective {
  const std::string_view *parameters;
  std::size_t count;
  char *(*declare)(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept;
};

/// @param slot of the location, for the zone that it chooses; nullptr for `off`.
/// @param position set to where the line stands that chooses.
/// @return what the setter is to return.
char *read_zone_line(ngx_conf_t *cf, const ngx_command_t *cmd, const ZoneDirective &directive, ngx_shm_zone_t *&slot,
                     phantom_token_position_t &position) noexcept;

}  // namespace gateway
