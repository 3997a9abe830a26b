#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// @return the module of that name, built in or loaded; nullptr where this nginx has none.
const ngx_module_t *find_module(const ngx_conf_t *cf, std::string_view name) noexcept;

/// @return whether it has one before the other module in nginx's order, in which their postconfigurations run.
bool has_module_before(const ngx_conf_t *cf, std::string_view name, const ngx_module_t &other) noexcept;

}  // namespace nginx
