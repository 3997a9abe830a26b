#include "upstreams.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace nginx {
namespace {

/// Their location configurations begin with an ngx_http_upstream_conf_t. They are found by name: a reference to a
/// module that this nginx was built without would keep the .so from loading.
constexpr std::string_view passing_modules[] = {"ngx_http_proxy_module", "ngx_http_fastcgi_module",
                                                "ngx_http_uwsgi_module", "ngx_http_scgi_module"};

bool passes_on(const ngx_module_t &module) noexcept {
  return module.type == NGX_HTTP_MODULE && std::find(std::begin(passing_modules), std::end(passing_modules),
                                                     std::string_view(module.name)) != std::end(passing_modules);
}

}  // namespace

ngx_http_upstream_conf_t *upstream_of(const ngx_conf_t *cf, const ngx_http_core_loc_conf_t &location,
                                      void *const *configurations) noexcept {
  if (location.handler == nullptr) {
    return nullptr;
  }
  // Every location inherits the proxy_cache of its server, whatever serves it. Whose handler it is cannot be seen, but
  // the module whose upstream is set is the one. None is set for a proxy_pass with variables: then it is the first that
  // has a cache.
  ngx_http_upstream_conf_t *candidate = nullptr;
  for (ngx_module_t **module = cf->cycle->modules; *module != nullptr; module++) {
    if (!passes_on(**module)) {
      continue;
    }
    auto *upstream = static_cast<ngx_http_upstream_conf_t *>(configurations[(*module)->ctx_index]);
    if (upstream->upstream != nullptr) {
      return upstream;
    }
    if (candidate == nullptr && has_cache(upstream)) {
      candidate = upstream;
    }
  }
  return candidate;
}

bool has_cache(const ngx_http_upstream_conf_t *upstream) noexcept {
#if (NGX_HTTP_CACHE)
  return upstream != nullptr && (upstream->cache_zone != nullptr || upstream->cache_value != nullptr);
#else
  return false;
#endif
}

const ngx_shm_zone_t *cache_zone(const ngx_http_upstream_conf_t *upstream) noexcept {
#if (NGX_HTTP_CACHE)
  return upstream == nullptr ? nullptr : upstream->cache_zone;
#else
  return nullptr;
#endif
}

}  // namespace nginx
