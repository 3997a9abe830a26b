#pragma once

#include "nginx.h"

namespace nginx {

/// @return until when proxy_cache holds the response that the subrequest has ended with, in seconds since the epoch; 0
///   where it does not hold it, or where it has been served stale.
time_t cached_until(const ngx_http_request_t *subrequest) noexcept;

/// @return when the entry ended that the subrequest has been served out of; 0 where it is good, or there is none.
time_t stale_since(const ngx_http_request_t *subrequest) noexcept;

/// @return whether the response has been served stale while another request renews its entry, and the server itself
///   allows that: by stale-while-revalidate, RFC 5861 section 3. What the location's proxy_cache_use_stale allows is
///   the operator's word, and stale-if-error is about a server that is down.
bool is_being_renewed(const ngx_http_request_t *subrequest) noexcept;

}  // namespace nginx
