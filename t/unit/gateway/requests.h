#pragma once

#include <memory>
#include <string_view>

#include "gateway/configuration/module_configuration.h"
#include "nginx/strings.h"
#include "nginx_stub.h"

namespace gateway {

/// A server with its number among those of its name, as number_servers() gives it.
class Server {
 public:
  Server(std::string_view name, std::string_view ordinal) : core_(std::make_unique<ngx_http_core_srv_conf_t>()) {
    core_->server_name = nginx::to_ngx_str(name);
    core_->ctx = &context_;
    ordinal.copy(reinterpret_cast<char *>(ours_.ordinal), sizeof(ours_.ordinal));
    ours_.ordinal_length = ordinal.size();
    configurations_[ngx_http_core_module.ctx_index] = core_.get();
    configurations_[ngx_http_phantom_token_module.ctx_index] = &ours_;
    context_.srv_conf = configurations_;
  }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  ngx_http_core_srv_conf_t &core() noexcept { return *core_; }
  void **configurations() noexcept { return configurations_; }

 private:
  std::unique_ptr<ngx_http_core_srv_conf_t> core_;
  phantom_token_server_t ours_ = {};
  void *configurations_[2] = {};
  ngx_http_conf_ctx_t context_ = {};
};

/// @return a client's request to a server.
inline std::unique_ptr<ngx_http_request_t> make_request(ngx_pool_t &pool, Server &server) {
  auto r = std::make_unique<ngx_http_request_t>();
  r->pool = &pool;
  r->srv_conf = server.configurations();
  return r;
}

}  // namespace gateway
