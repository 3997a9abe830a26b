#pragma once

#include "nginx.h"

namespace gateway {

/// @return until when proxy_cache holds the response that the subrequest has ended with, in seconds since the epoch; 0
///   where it does not hold it, or where it has been served stale.
time_t cached_until(const ngx_http_request_t *subrequest) noexcept;

/// @return when the entry ended that the subrequest has been served out of; 0 where it is good, or there is none.
time_t stale_since(const ngx_http_request_t *subrequest) noexcept;

}  // namespace gateway
