#pragma once

#include <string_view>

#include "nginx.h"
#include "text.h"

namespace gateway {

/// What tells servers apart, on every node and after every reload. Known from the postconfiguration on.
struct ServerIdentity {
  std::string_view name;     ///< the first server_name
  std::string_view ordinal;  ///< decimal, among the servers of that name
};

inline ServerIdentity server_identity(const ngx_http_core_srv_conf_t &server) noexcept {
  auto *ours = static_cast<phantom_token_server_t *>(server.ctx->srv_conf[ngx_http_phantom_token_module.ctx_index]);
  return {view(server.server_name), view({ours->ordinal_length, ours->ordinal})};
}

}  // namespace gateway
