#pragma once

#include "as_request.h"

namespace gateway {

/// Looks at the location that has answered.
/// @return nullptr, or why its response must not count: a constant for the log line that says what to do.
const char *find_misconfiguration(ngx_http_request_t *subrequest, const AsRequest &request) noexcept;

}  // namespace gateway
