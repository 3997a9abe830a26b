#include "variable_indices.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/modules.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../nginx/variable_lookup.h"
#include "module_configuration.h"

namespace gateway {
namespace {

bool is_own(const ngx_conf_t *cf, std::string_view name) noexcept {
  const ngx_array_t &claims = main_of(cf).claim_variables;
  for (ngx_uint_t i = 0; i < claims.nelts; i++) {
    if (to_view(static_cast<const ngx_str_t *>(claims.elts)[i]) == name) {
      return true;
    }
  }
  return name.substr(0, variable_prefix.size()) == variable_prefix;
}

bool note_own(ngx_conf_t *cf, ngx_array_t &own) noexcept {
  if (ngx_array_init(&own, cf->pool, 4, sizeof(ngx_uint_t)) != NGX_OK) {
    return false;
  }
  const ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf.variables.elts);
  for (ngx_uint_t i = 0; i < cmcf.variables.nelts; i++) {
    if (!is_own(cf, to_view(used[i].name))) {
      continue;
    }
    auto *index = static_cast<ngx_uint_t *>(ngx_array_push(&own));
    if (index == nullptr) {
      return false;
    }
    *index = i;
  }
  return true;
}

}  // namespace

ngx_int_t index_variables(ngx_conf_t *cf) noexcept {
  auto *variables = make<phantom_token_variables_t>(cf->pool);
  if (variables == nullptr) {
    return NGX_ERROR;
  }
  main_of(cf).variables = variables;
  ngx_str_t authorization = ngx_string("http_authorization");
  variables->authorization = ngx_http_get_variable_index(cf, &authorization);
  variables->key = find_variable_index(cf, "phantom_token_key");
  variables->request_body = find_variable_index(cf, "request_body");
  const ngx_int_t request_id = find_variable_index(cf, "request_id");
  if (find_module(cf, "ngx_http_proxy_module") != nullptr) {
    // Not to be found by its name at request time: it is not in the hash of variables.
    ngx_str_t proxy_host = ngx_string("proxy_host");
    variables->proxy_host = ngx_http_get_variable_index(cf, &proxy_host);
  }
  return variables->authorization != NGX_ERROR && note_own(cf, variables->own) &&
                 note_origins(cf, request_id, variables->origins)
             ? NGX_OK
             : NGX_ERROR;
}

bool has_lost_key(const ngx_http_request_t *r) noexcept {
  const ngx_int_t index = variables_of(r).key;
  if (index == NGX_ERROR) {
    return false;
  }
  const ngx_http_variable_value_t &value = r->variables[index];
  return value.not_found != 0 && value.no_cacheable == 0;
}

void forget_authorization(ngx_http_request_t *r) noexcept {
  forget_variable(r, static_cast<ngx_uint_t>(variables_of(r).authorization));
}

void forget_variables(ngx_http_request_t *r) noexcept {
  const ngx_array_t &own = variables_of(r).own;
  for (ngx_uint_t i = 0; i < own.nelts; i++) {
    forget_variable(r, static_cast<const ngx_uint_t *>(own.elts)[i]);
  }
}

}  // namespace gateway
