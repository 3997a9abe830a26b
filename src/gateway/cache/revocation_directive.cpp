// phantom_token_revocation: its lines, and the zone of shared memory that one of them declares.

#include "revocation_directive.h"

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>

#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "revocation_file.h"

namespace gateway {
namespace {

constexpr std::string_view keep_parameter = "keep=";
constexpr std::string_view state_parameter = "state=";
constexpr time_t default_keep = 3600;

struct RevocationParameters {
  ZoneParameters zone;
  time_t keep = 0;  ///< 0: not given
  std::string_view state_file;
};

ngx_int_t initialize(ngx_shm_zone_t *zone, void *earlier) noexcept {
  RevocationZone &ours = revocations_of(*zone);
  return open_table(*zone, ours, earlier) == NGX_OK ? load_state_file(ours) : NGX_ERROR;
}

const char *read_state_file(std::string_view value, RevocationParameters &parameters) noexcept {
  if (!parameters.state_file.empty()) {
    return "has a second file";
  }
  parameters.state_file = value;
  return value.empty() ? "wants \"state=\" with the name of a file, it has" : nullptr;
}

const char *read_parameter(std::string_view argument, RevocationParameters &parameters) noexcept {
  if (has_prefix(argument, zone_parameter)) {
    return read_zone(argument.substr(zone_parameter.size()), parameters.zone);
  }
  if (has_prefix(argument, keep_parameter)) {
    return read_zone_time(argument.substr(keep_parameter.size()), parameters.keep);
  }
  return has_prefix(argument, state_parameter) ? read_state_file(argument.substr(state_parameter.size()), parameters)
                                               : "has an invalid parameter";
}

bool is_another_zones(const phantom_token_main_t &main, const ngx_str_t &path) noexcept {
  for (ngx_uint_t i = 0; i < main.revocations.nelts; i++) {
    const ngx_shm_zone_t &zone = *static_cast<ngx_shm_zone_t *const *>(main.revocations.elts)[i];
    if (path.len != 0 && to_view(revocations_of(zone).state_file) == to_view(path)) {
      return true;
    }
  }
  return false;
}

/// A new file takes the place of the old one, and must not take that of a symbolic link to it.
/// @return false where there is no memory.
bool follow_links(ngx_pool_t *pool, ngx_str_t &path) noexcept {
  char *real = realpath(reinterpret_cast<const char *>(path.data), nullptr);
  if (real == nullptr) {
    return true;  // it is not there yet
  }
  const std::size_t size = std::strlen(real);
  auto *copied = static_cast<u_char *>(ngx_pnalloc(pool, size + 1));
  if (copied != nullptr) {
    ngx_memcpy(copied, real, size + 1);
    path = {size, copied};
  }
  std::free(real);  // NOLINT(cppcoreguidelines-no-malloc): realpath() has taken it
  return copied != nullptr;
}

char *declare(ngx_conf_t *cf, const ngx_command_t *cmd, const RevocationParameters &parameters) noexcept {
  auto *data = make<RevocationZone>(cf->pool);
  if (data == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  data->keep = parameters.keep != 0 ? parameters.keep : default_keep;
  set_declaration(cf, *data);
  if (!parameters.state_file.empty()) {
    data->state_file = to_ngx_str(parameters.state_file);
    if (ngx_conf_full_name(cf->cycle, &data->state_file, 0) != NGX_OK || !follow_links(cf->pool, data->state_file)) {
      return static_cast<char *>(NGX_CONF_ERROR);
    }
  }
  if (is_another_zones(main_of(cf), data->state_file)) {
    return refuse_zone_line(cf, cmd, "has the state file of another zone", data->state_file);
  }
  return declare_zone(cf, cmd, parameters.zone, data, initialize, main_of(cf).revocations);
}

char *read_declaration(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const auto *arguments = static_cast<const ngx_str_t *>(cf->args->elts) + 1;
  const ngx_uint_t count = cf->args->nelts - 1;
  RevocationParameters parameters;
  for (ngx_uint_t i = 0; i < count; i++) {
    if (const char *problem = read_parameter(to_view(arguments[i]), parameters)) {
      return refuse_zone_line(cf, cmd, problem, arguments[i]);
    }
  }
  return parameters.zone.name.empty() ? refuse_zone_line(cf, cmd, "has no \"zone=NAME:SIZE\" beside", arguments[0])
                                      : declare(cf, cmd, parameters);
}

constexpr ngx_msec_t follow_interval = 500;

void follow(ngx_event_t *event) noexcept {
  follow_state_file(*static_cast<RevocationZone *>(static_cast<ngx_connection_t *>(event->data)->data));
  ngx_add_timer(event, follow_interval);
}

/// @return false where there is no memory.
bool start_following(ngx_cycle_t *cycle, RevocationZone &zone) noexcept {
  auto *event = static_cast<ngx_event_t *>(ngx_pcalloc(cycle->pool, sizeof(ngx_event_t)));
  auto *connection = static_cast<ngx_connection_t *>(ngx_pcalloc(cycle->pool, sizeof(ngx_connection_t)));
  if (event == nullptr || connection == nullptr) {
    return false;
  }
  connection->fd = static_cast<ngx_socket_t>(-1);  // nginx's debug log reads it of every event's data
  connection->data = &zone;
  event->data = connection;
  event->handler = follow;
  event->log = cycle->log;
  event->cancelable = 1;  // a worker that is shutting down does not wait for it
  ngx_add_timer(event, follow_interval);
  return true;
}

}  // namespace

ngx_int_t start_following_state_files(ngx_cycle_t *cycle) noexcept {
  const auto *main =
      static_cast<phantom_token_main_t *>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_phantom_token_module));
  if (main == nullptr || ngx_process == NGX_PROCESS_HELPER) {
    return NGX_OK;
  }
  for (ngx_uint_t i = 0; i < main->revocations.nelts; i++) {
    RevocationZone &zone = revocations_of(*static_cast<ngx_shm_zone_t *const *>(main->revocations.elts)[i]);
    if (zone.state_file.len != 0 && !start_following(cycle, zone)) {
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

}  // namespace gateway

extern "C" char *phantom_token_set_revocation(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  constexpr std::string_view parameters[] = {gateway::zone_parameter, gateway::keep_parameter,
                                             gateway::state_parameter};
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  return gateway::read_zone_line(cf, cmd, {parameters, std::size(parameters), gateway::read_declaration},
                                 location.revocation, location.revocation_at);
}
