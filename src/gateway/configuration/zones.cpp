// What the lines of phantom_token_hot_cache, phantom_token_revocation and phantom_token_dpop_replay have in common: a
// zone of shared memory, and the name of one.

#include "zones.h"

#include <algorithm>

#include "../../nginx/pool.h"
#include "../../nginx/strings.h"

namespace gateway {
namespace {

/// Reads the name of a zone, which another line may declare later, or `off`.
char *choose_zone(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &name, ngx_shm_zone_t *&slot,
                  phantom_token_position_t &position) noexcept {
  if (slot != NGX_CONF_UNSET_PTR) {
    return const_cast<char *>("is duplicate");
  }
  if (to_view(name) == "off") {
    slot = nullptr;
    return NGX_CONF_OK;
  }
  if (name.len == 0) {
    return refuse_zone_line(cf, cmd, "wants the name of a zone or \"off\", it has", name);
  }
  position = {cf->conf_file->file.name, cf->conf_file->line};
  // Of no size: the line that declares it may come later.
  ngx_str_t zone_name = name;
  slot = ngx_shared_memory_add(cf, &zone_name, 0, &ngx_http_phantom_token_module);
  return slot == nullptr ? static_cast<char *>(NGX_CONF_ERROR) : NGX_CONF_OK;
}

}  // namespace

const char *read_zone(std::string_view value, ZoneParameters &zone) noexcept {
  constexpr ngx_uint_t smallest_pages = 8;  // as nginx's other zones have it
  if (!zone.name.empty()) {
    return "has a second zone";
  }
  const std::size_t colon = value.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return "wants \"zone=NAME:SIZE\", such as \"zone=NAME:16m\", it has";
  }
  zone.name = value.substr(0, colon);
  if (zone.name == "off") {
    return "has a zone by a name that is the word for none";
  }
  if (zone.name == metrics_zone) {
    return "has a zone by the name of the one that phantom_token_metrics has";
  }
  ngx_str_t size = to_ngx_str(value.substr(colon + 1));
  zone.size = ngx_parse_size(&size);
  if (zone.size == NGX_ERROR) {
    return "has a zone whose size is invalid, write it as in \"zone=NAME:16m\"";
  }
  return zone.size < static_cast<ssize_t>(smallest_pages * ngx_pagesize) ? "has a zone of less than 8 pages (32k)"
                                                                         : nullptr;
}

const char *read_zone_time(std::string_view value, time_t &seconds) noexcept {
  if (seconds != 0) {
    return "has a second time";
  }
  ngx_str_t text = to_ngx_str(value);
  seconds = ngx_parse_time(&text, 1);
  // In milliseconds it must fit a timer's difference.
  constexpr time_t longest = time_t{365} * 24 * 60 * 60;
  return seconds < 1 || seconds > longest ? "wants a time from 1s to 1y, it has" : nullptr;
}

char *refuse_zone_line(ngx_conf_t *cf, const ngx_command_t *cmd, const char *problem, const ngx_str_t &value) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s: \"%V\"", &cmd->name, problem, &value);
  return static_cast<char *>(NGX_CONF_ERROR);
}

char *declare_zone(ngx_conf_t *cf, const ngx_command_t *cmd, const ZoneParameters &parameters, DeclaredZone *data,
                   ngx_shm_zone_init_pt init, ngx_array_t &list) noexcept {
  ngx_str_t name = copy(cf->pool, parameters.name);
  if (name.data == nullptr || data == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  ngx_shm_zone_t *zone =
      ngx_shared_memory_add(cf, &name, static_cast<size_t>(parameters.size), &ngx_http_phantom_token_module);
  if (zone == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  if (zone->data != nullptr) {
    return refuse_zone_line(cf, cmd, "has a zone that another line declares", name);
  }
  auto *listed = static_cast<ngx_shm_zone_t **>(ngx_array_push(&list));
  if (listed == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  *listed = zone;
  zone->init = init;
  zone->data = data;
  return NGX_CONF_OK;
}

char *read_zone_line(ngx_conf_t *cf, const ngx_command_t *cmd, const ZoneDirective &directive, ngx_shm_zone_t *&slot,
                     phantom_token_position_t &position) noexcept {
  const auto *arguments = static_cast<const ngx_str_t *>(cf->args->elts) + 1;
  const ngx_uint_t count = cf->args->nelts - 1;
  const bool declares = std::any_of(arguments, arguments + count, [&directive](const ngx_str_t &argument) {
    return std::any_of(directive.parameters, directive.parameters + directive.count,
                       [&argument](std::string_view parameter) { return has_prefix(to_view(argument), parameter); });
  });
  if (declares) {
    return (cf->cmd_type & NGX_HTTP_MAIN_CONF) == 0
               ? refuse_zone_line(cf, cmd, "declares a zone outside of \"http\"", arguments[0])
               : directive.declare(cf, cmd);
  }
  return count == 1 ? choose_zone(cf, cmd, arguments[0], slot, position)
                    : refuse_zone_line(cf, cmd, "has an invalid parameter", arguments[1]);
}

}  // namespace gateway
