#include "client_certificates.h"

#include "modules.h"
#include "strings.h"

namespace nginx {

bool asks_for_certificates(const ngx_conf_t *cf, const ngx_http_core_srv_conf_t &server) noexcept {
  const ngx_module_t *ssl = find_module(cf, "ngx_http_ssl_module");
  return ssl != nullptr && verifies_clients(server.ctx->srv_conf[ssl->ctx_index]);
}

bool find_client_certificate(ngx_http_request_t *r, ngx_str_t &certificate) noexcept {
  ngx_str_t name = to_ngx_str("ssl_client_raw_cert");
  const ngx_http_variable_value_t *value = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
  if (value == nullptr) {
    return false;
  }
  certificate = value->not_found != 0 ? ngx_str_t(ngx_null_string) : ngx_str_t{value->len, value->data};
  return true;
}

}  // namespace nginx
