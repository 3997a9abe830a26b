#include "modules.h"

namespace nginx {

const ngx_module_t *find_module(const ngx_conf_t *cf, std::string_view name) noexcept {
  ngx_module_t **module = cf->cycle->modules;
  while (*module != nullptr && name != (*module)->name) {
    module++;
  }
  return *module;
}

bool has_module_before(const ngx_conf_t *cf, std::string_view name, const ngx_module_t &other) noexcept {
  ngx_module_t **module = cf->cycle->modules;
  while (*module != nullptr && *module != &other && name != (*module)->name) {
    module++;
  }
  return *module != nullptr && *module != &other;
}

}  // namespace nginx
