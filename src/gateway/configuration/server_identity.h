#pragma once

#include <string_view>

#include "module_configuration.h"

namespace gateway {

/// What tells servers apart, on every node and after every reload: an address in memory or a number over all servers
/// would be another one on the next node, or when a server is added.
struct ServerIdentity {
  std::string_view name;     ///< the first server_name
  std::string_view ordinal;  ///< decimal, among the servers of that name
};

/// Gives each server its ordinal, in the order of the configuration. To be called first in the postconfiguration.
void number_servers(ngx_conf_t *cf) noexcept;

/// To be called when number_servers() has been.
ServerIdentity server_identity(const ngx_http_core_srv_conf_t &server) noexcept;

}  // namespace gateway
