#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// How nginx's maps can be told from other variables: their handler is static in nginx's module.
struct Maps {
  ngx_http_get_variable_pt handler = nullptr;  ///< nullptr where there is no map module
  bool are_known = false;                      ///< learn_maps() has been here
  bool are_readable = false;                   ///< what they are over is where we look
};

/// Finds out how maps can be told from other variables, by one of our own.
/// @param sample_name a name for it that no configuration has, with its dollar.
/// @param maps set where the result is NGX_OK.
/// @return NGX_OK, also where there is no map module; NGX_ERROR where there is no memory.
ngx_int_t learn_maps(ngx_conf_t *cf, std::string_view sample_name, Maps &maps) noexcept;

/// @return whether a variable of another module keeps its value while nginx redirects the request.
using StaysOverRedirects = bool (*)(const ngx_conf_t *cf, std::string_view name);

/// Looks for a map that is not `volatile` among the variables of a value, over something that may change while nginx
/// redirects the request. nginx evaluates such a map once, and its first value stays.
/// @param value as it stands in the configuration; when all variables have their index.
/// @return the name of the map's variable, or an empty view.
std::string_view find_kept_map(const ngx_conf_t *cf, const Maps &maps, std::string_view value,
                               StaysOverRedirects stays) noexcept;

}  // namespace nginx
