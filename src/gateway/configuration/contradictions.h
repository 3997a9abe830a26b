#pragma once

#include "module_configuration.h"

namespace gateway {

/// Refuses both kinds of token endpoints at one level, also where protection is off: they are there to be used.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_token_endpoints(ngx_conf_t *cf, const phantom_token_main_t &main,
                                const phantom_token_block_t &block) noexcept;

/// Refuses the name of a zone that no line declares, also where protection is off: nginx itself would only say that a
/// zone has no size, and not where.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_zones(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

/// Refuses a JWK Set without a key, which no API could verify anything by.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_published_keys(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

/// Refuses what must not stand together, or not alone, in a protected block.
/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_contradictions(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

}  // namespace gateway
