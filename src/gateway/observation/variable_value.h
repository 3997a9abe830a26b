#pragma once

#include <string_view>

#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"

namespace gateway {

/// What the handler of a variable returns.

inline ngx_int_t set_value(ngx_http_variable_value_t *v, std::string_view value) noexcept {
  v->valid = 1;
  v->no_cacheable = 0;
  v->not_found = 0;
  v->len = static_cast<unsigned>(value.size());
  v->data = to_ngx_str(value).data;
  return NGX_OK;
}

inline ngx_int_t set_not_found(ngx_http_variable_value_t *v) noexcept {
  v->not_found = 1;
  return NGX_OK;
}

}  // namespace gateway
