#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// What a subrequest of nginx needs.

/// @return whether nginx would never call the request again that waits for one: a background subrequest or a
///   post_action.
inline bool is_detached(const ngx_http_request_t *r) noexcept {
  return r->background != 0 || r->post_action != 0;
}

/// Within a subrequest that is kept in memory, ngx_http_subrequest() makes none.
inline bool can_ask(const ngx_http_request_t *r) noexcept {
  return !is_detached(r) && r->subrequest_in_memory == 0;
}

constexpr const char *no_uri =
    "its variables give no URI for this request: add a \"default\" to the map, with the location for all that nothing "
    "else fits";

/// A subrequest cannot go to a named location, nor to none: nginx expects no URI without a path.
inline bool is_subrequest_uri(const ngx_str_t &endpoint) noexcept {
  return endpoint.len != 0 && endpoint.data[0] != '@' && endpoint.data[0] != '?';
}

}  // namespace gateway
