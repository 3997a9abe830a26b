#include "cache_guard.h"

#include <string_view>

#include "text.h"

namespace gateway {
namespace {

struct Keys {
  const ngx_str_t *items = nullptr;
  ngx_uint_t count = 0;

  bool hold(std::string_view part) const noexcept {
    for (ngx_uint_t i = 0; i < count; i++) {
      if (view(items[i]).find(part) != std::string_view::npos) {
        return true;
      }
    }
    return false;
  }
};

/// Where proxy_pass has variables, the server is chosen after the key, which must then name it.
bool names_the_server(ngx_http_request_t *subrequest, const Keys &keys) noexcept {
  ngx_str_t name = ngx_string("proxy_host");
  const ngx_http_variable_value_t *host = ngx_http_get_variable(subrequest, &name, ngx_hash_key(name.data, name.len));
  return host != nullptr && host->not_found == 0 && host->len != 0 &&
         keys.hold({reinterpret_cast<const char *>(host->data), host->len});
}

}  // namespace

const char *find_unsafe_cache_key(ngx_http_request_t *subrequest, const Call &call) noexcept {
#if (NGX_HTTP_CACHE)
  if (subrequest->cache == nullptr || !call.is_about_token) {
    return nullptr;
  }
  const Keys keys = {static_cast<const ngx_str_t *>(subrequest->cache->keys.elts), subrequest->cache->keys.nelts};
  const bool holds_body = keys.hold(call.request_body);
  if (holds_body && call.request_has_secret) {
    return "its cache key holds the body, and so the client_secret of \"phantom_token_client_auth post\", which would "
           "be "
           "written to disk: use \"proxy_cache_key $phantom_token_key;\"";
  }
  if (keys.hold({call.key, sizeof(call.key)})) {
    return nullptr;
  }
  if (!holds_body) {
    return "its cache key does not tell tokens apart: add \"proxy_cache_key $phantom_token_key;\"";
  }
  if (subrequest->upstream->resolved != nullptr && !names_the_server(subrequest, keys)) {
    return "its cache key does not tell the servers of proxy_pass apart: add \"proxy_cache_key $phantom_token_key;\"";
  }

  const auto *location =
      static_cast<phantom_token_location_t *>(ngx_http_get_module_loc_conf(subrequest, ngx_http_phantom_token_module));
  const bool body_only = keys.count == 1 && keys.items[0].len == call.request_body.size();
  if (body_only && location->shares_cache_zone != 0) {
    return "its cache zone is used by another location too, and its cache key does not tell them apart: add "
           "\"proxy_cache_key $phantom_token_key;\"";
  }
#endif
  return nullptr;
}

}  // namespace gateway
