#include "server_identity.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/strings.h"

namespace gateway {

void number_servers(ngx_conf_t *cf) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  auto *const *servers = static_cast<ngx_http_core_srv_conf_t **>(cmcf.servers.elts);
  for (ngx_uint_t i = 0; i < cmcf.servers.nelts; i++) {
    ngx_uint_t ordinal = 0;
    for (ngx_uint_t earlier = 0; earlier < i; earlier++) {
      ordinal += to_view(servers[earlier]->server_name) == to_view(servers[i]->server_name) ? 1 : 0;
    }
    phantom_token_server_t &server = server_of(*servers[i]);
    const u_char *end = ngx_snprintf(server.ordinal, sizeof(server.ordinal), "%ui", ordinal);
    server.ordinal_length = static_cast<size_t>(end - server.ordinal);
  }
}

ServerIdentity server_identity(const ngx_http_core_srv_conf_t &server) noexcept {
  const phantom_token_server_t &ours = server_of(server);
  const std::string_view ordinal = {reinterpret_cast<const char *>(ours.ordinal), ours.ordinal_length};
  return {to_view(server.server_name), ordinal};
}

}  // namespace gateway
