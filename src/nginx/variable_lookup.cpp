#include "variable_lookup.h"

#include "core_configuration.h"
#include "strings.h"

namespace nginx {

const ngx_http_variable_t *find_variable(const ngx_conf_t *cf, std::string_view name) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  const auto *keys = static_cast<const ngx_hash_key_t *>(cmcf.variables_keys->keys.elts);
  for (ngx_uint_t i = 0; i < cmcf.variables_keys->keys.nelts; i++) {
    if (to_view(keys[i].key) == name) {
      return static_cast<const ngx_http_variable_t *>(keys[i].value);
    }
  }
  return nullptr;
}

ngx_int_t find_variable_index(const ngx_conf_t *cf, std::string_view name) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf.variables.elts);
  for (ngx_uint_t i = 0; i < cmcf.variables.nelts; i++) {
    if (to_view(used[i].name) == name) {
      return static_cast<ngx_int_t>(i);
    }
  }
  return NGX_ERROR;
}

}  // namespace nginx
