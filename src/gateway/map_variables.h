#pragma once

#include <string_view>

#include "nginx.h"

namespace gateway {

/// Finds out how nginx's maps can be told from other variables.
/// @return NGX_OK, also where there is no map module; NGX_ERROR where there is no memory.
ngx_int_t learn_maps(ngx_conf_t *cf) noexcept;

/// Looks for a map that is not `volatile` among the variables of a value, over something that may change while nginx
/// redirects the request. nginx evaluates such a map once, and its first value stays.
/// @param value as it stands in the configuration; after learn_maps() and index_variables().
/// @return the name of the map's variable, or an empty view.
std::string_view find_kept_map(ngx_conf_t *cf, std::string_view value) noexcept;

}  // namespace gateway
