#include "cache_zones.h"

#include <string_view>

#include "locations.h"
#include "text.h"

namespace gateway {
namespace {

/// The modules that cache. Their location configurations begin with an ngx_http_upstream_conf_t. They are found by
/// name: a reference to a module that this nginx was built without would keep the .so from loading.
constexpr std::string_view caching_modules[] = {"ngx_http_proxy_module", "ngx_http_fastcgi_module",
                                                "ngx_http_scgi_module", "ngx_http_uwsgi_module"};

bool is_caching(std::string_view name) noexcept {
  for (const std::string_view module : caching_modules) {
    if (module == name) {
      return true;
    }
  }
  return false;
}

/// Calls visit with the upstream configuration of each caching module, until it returns true.
template <typename Visit>
void for_each_upstream(const ngx_conf_t *cf, void **configurations, Visit visit) noexcept {
  for (ngx_module_t **module = cf->cycle->modules; *module != nullptr; module++) {
    if ((*module)->type == NGX_HTTP_MODULE && is_caching((*module)->name) &&
        visit(*static_cast<ngx_http_upstream_conf_t *>(configurations[(*module)->ctx_index]))) {
      return;
    }
  }
}

bool is_referenced(const ngx_conf_t *cf, std::string_view name) noexcept {
  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto *variables = static_cast<const ngx_http_variable_t *>(cmcf->variables.elts);
  for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
    if (view(variables[i].name) == name) {
      return true;
    }
  }
  return false;
}

bool is_shared(const ngx_conf_t *cf, const phantom_token_main_t &main, const phantom_token_block_t &block,
               const ngx_shm_zone_t *zone) noexcept {
  const auto *blocks = static_cast<const phantom_token_block_t *>(main.blocks.elts);
  for (ngx_uint_t i = 0; i < main.blocks.nelts; i++) {
    const bool same_location = &blocks[i] == &block || blocks[i].core->noname != 0;
    if (!same_location && cache_zone(cf, blocks[i]) == zone) {
      return true;
    }
  }
  return false;
}

}  // namespace

ngx_shm_zone_t *cache_zone(const ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  if (block.core->handler == nullptr) {
    return nullptr;
  }
  // Every location inherits the proxy_cache of its server, whatever serves it. Whose handler it is cannot be seen, but
  // the module whose upstream is set is the one; without any (a proxy_pass with variables), all remain.
  ngx_shm_zone_t *of_upstream = nullptr;
  ngx_shm_zone_t *of_any = nullptr;
  bool has_upstream = false;
  for_each_upstream(cf, block.configurations, [&](const ngx_http_upstream_conf_t &upstream) {
    if (of_any == nullptr) {
      of_any = upstream.cache_zone;
    }
    has_upstream = upstream.upstream != nullptr;
    of_upstream = has_upstream ? upstream.cache_zone : nullptr;
    return has_upstream;
  });
  return has_upstream ? of_upstream : of_any;
}

ngx_int_t check_cache_zones(ngx_conf_t *cf, const phantom_token_main_t &main) noexcept {
  const bool keys_may_be_good = is_referenced(cf, "phantom_token_key");
  const auto *blocks = static_cast<const phantom_token_block_t *>(main.blocks.elts);
  for (ngx_uint_t i = 0; i < main.blocks.nelts; i++) {
    const phantom_token_block_t &block = blocks[i];
    const ngx_shm_zone_t *zone = cache_zone(cf, block);
    if (zone == nullptr || !is_shared(cf, main, block, zone)) {
      continue;
    }
    block.location->shares_cache_zone = 1;
    if (block.location->serves_tokens != 0 && !keys_may_be_good) {
      const ngx_str_t name = display_name(*block.core);
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "the cache zone \"%V\" of introspection location \"%V\" is used by another location too, so that "
                    "answers of two authorization servers could mix: add \"proxy_cache_key $phantom_token_key;\" to "
                    "the introspection location, or give it a zone of its own",
                    &zone->shm.name, &name);
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

}  // namespace gateway
