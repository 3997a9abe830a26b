#pragma once

#include "../configuration/module_configuration.h"
#include "as_request.h"

namespace gateway {

/// Judges the key under which nginx keeps the response: a key that other tokens or authorization servers could share
/// must not count, whatever the response says.
/// @return nullptr where the key is good or no cache was asked, else a constant for the log line that says what to do.
const char *find_unsafe_cache_key(ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept;

/// @return nullptr, or a constant for the log line where a JWK Set came from a server that variables have chosen, and
/// the
///   endpoint by which it is kept has none.
const char *find_unnamed_server(const ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept;

/// @return whether all who ask by the same key would get this answer: nothing else chooses the server, and the
///   cache's key tells nothing else apart.
bool answers_key(const ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept;

/// Keeps a response that nginx fetches to renew an entry (proxy_cache_background_update) from being stored under a key
/// that is not safe.
void guard_background_update(ngx_http_request_t *update, const AsRequestTemplate &asked) noexcept;

}  // namespace gateway
