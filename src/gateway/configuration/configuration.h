#pragma once

#include "module_configuration.h"

namespace gateway {

/// What is done, in this order, when the whole configuration has been read.

/// Tells servers of one name apart by their order in the configuration.
void number_servers(ngx_conf_t *cf) noexcept;

/// Sets what tells apart how locations ask the authorization server.
/// @return NGX_OK, or NGX_ERROR where there is no memory.
ngx_int_t set_fingerprints(ngx_conf_t *cf) noexcept;

/// Checks all blocks, after index_variables().
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_configuration(ngx_conf_t *cf) noexcept;

}  // namespace gateway
