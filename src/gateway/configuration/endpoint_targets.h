#pragma once

#include "module_configuration.h"

namespace gateway {

/// Marks the internal locations that the endpoints of a protected block lead to. When all blocks have been here, the
/// functions below may be called.
void mark_endpoint_targets(const phantom_token_block_t &block) noexcept;

/// @return whether the gateway may ask the authorization server through this block: an endpoint leads to it, or it is
///   internal and an endpoint with variables may.
bool may_be_endpoint_target(const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept;

/// Marks such a block that no client's request may be in, where its name shows that it is meant for the gateway.
void mark_refusal_of_clients(const phantom_token_main_t &main, phantom_token_block_t &block) noexcept;

/// Refuses an endpoint of a protected block that leads nowhere, or to where clients can go; warns of one that leads to
/// a location with another name.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_endpoint_targets(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

}  // namespace gateway
