// phantom_token_jwks: the content handler that publishes the keys that the gateway signs with (RFC 7517 section 5).

#include <string_view>

#include "../../jose/writer.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/response.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "../configuration/signing.h"

namespace gateway {
namespace {

constexpr std::string_view media_type = "application/jwk-set+json";

/// For so long may an API not know of a new key, so that the gateway is to sign with it no earlier.
constexpr std::string_view cache_control = "public, max-age=300";

void put_key_set(jose::Writer &writer, const SigningKeys &keys) noexcept {
  writer.put(R"({"keys":[)");
  for (const phantom_token_private_key_t *key : keys) {
    writer.put(key == *keys.begin() ? "" : ",");
    writer.put(key->public_jwk);
  }
  writer.put("]}\n");
}

ngx_int_t key_set_handler(ngx_http_request_t *r) noexcept {
  if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
    return push_header(r, "Allow", "GET, HEAD") != nullptr ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  const ngx_int_t rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) {
    return rc;
  }
  const SigningKeys keys = signing_keys(location_of(r).signing_keys);
  PoolMemory memory(r->pool);
  std::string_view page;
  if (!jose::write_text(
          memory, [&](jose::Writer &writer) { put_key_set(writer, keys); }, page) ||
      push_header(r, "Cache-Control", cache_control) == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return send_page(r, {media_type, media_type.size()}, page);
}

}  // namespace
}  // namespace gateway

extern "C" char *phantom_token_set_jwks(ngx_conf_t *cf, ngx_command_t * /*cmd*/, void *conf) {
  ngx_http_core_loc_conf_t &location = nginx::core_location_of(cf);
  if (location.handler == gateway::key_set_handler) {
    return const_cast<char *>("is duplicate");
  }
  location.handler = gateway::key_set_handler;
  static_cast<phantom_token_location_t *>(conf)->publishes_keys_at = {cf->conf_file->file.name, cf->conf_file->line};
  return NGX_CONF_OK;
}
