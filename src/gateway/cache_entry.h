#pragma once

#include "nginx.h"

namespace gateway {

/// @return until when proxy_cache holds the response that the subrequest has ended with, in seconds since the epoch; 0
///   where it does not hold it, or where it has been served stale.
time_t cached_until(const ngx_http_request_t *subrequest) noexcept;

}  // namespace gateway
