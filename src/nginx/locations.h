#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// @return whether its name is a prefix that does not begin with a slash, so that no client's URI leads to it.
bool has_no_slash(const ngx_http_core_loc_conf_t &location) noexcept;

/// @return whether a client's URI can never lead to this location: it is `internal`, or has no slash.
bool is_internal(const ngx_http_core_loc_conf_t &location) noexcept;

/// @return whether this block stands for the server itself, not for a location in it.
bool is_server_block(const ngx_http_core_loc_conf_t &location, const ngx_http_core_srv_conf_t &server) noexcept;

/// @return whether this block is an `if`.
bool is_if(const ngx_http_core_loc_conf_t &location) noexcept;

/// @return the location's name as an operator would write it, for log lines; `server` for the server's own block.
ngx_str_t display_name(const ngx_http_core_loc_conf_t &location) noexcept;

/// Looks a URI up as ngx_http_core_find_location does for a request. To be used after nginx has built its tree of
/// locations, so not before the postconfiguration; rewrites are not followed.
/// @return the location, or nullptr where none matches.
ngx_http_core_loc_conf_t *find_location(const ngx_http_core_srv_conf_t &server, std::string_view uri) noexcept;

}  // namespace nginx
