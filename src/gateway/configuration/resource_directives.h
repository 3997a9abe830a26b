#pragma once

#include "module_configuration.h"

namespace gateway {

/// Reads the parameter of phantom_token_resource_document, `authorization_servers="URL …"`.
/// @return the URLs; nullptr where the line has something else, which has been logged, or where there is no memory.
ngx_array_t *read_authorization_servers(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept;

}  // namespace gateway
