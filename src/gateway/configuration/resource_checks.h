#pragma once

#include "module_configuration.h"

namespace gateway {

/// Refuses a metadata document without a resource, and warns of one that is of no use to a client.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_resource_document(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

}  // namespace gateway
