#pragma once

#include <string_view>

#include "../../nginx/strings.h"
#include "module_configuration.h"

namespace gateway {

/// What tells servers apart, on every node and after every reload. Known from the postconfiguration on.
struct ServerIdentity {
  std::string_view name;     ///< the first server_name
  std::string_view ordinal;  ///< decimal, among the servers of that name
};

inline ServerIdentity server_identity(const ngx_http_core_srv_conf_t &server) noexcept {
  phantom_token_server_t &ours = server_of(server);
  return {to_view(server.server_name), to_view({ours.ordinal_length, ours.ordinal})};
}

}  // namespace gateway
