#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// @return whether this is a CORS preflight: OPTIONS with Origin and Access-Control-Request-Method,
///   and no Upgrade.
bool is_preflight(const ngx_http_request_t *r) noexcept;

}  // namespace gateway
