#pragma once

#include "../../nginx/map_variables.h"
#include "module_configuration.h"

namespace gateway {

/// What `nginx -t` warns of in a protected location: it works, and may not do what the operator means.

/// Warns of a client's own JWT that passes without being verified.
void warn_of_unverified_jwts(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept;

/// Marks a location whose responses a cache keeps. When all blocks have been here, warn_of_cached_responses() may be
/// called.
void mark_cached_responses(const ngx_conf_t *cf, phantom_token_block_t &block) noexcept;

/// Warns of such a location, since the cache's key itself cannot be seen.
void warn_of_cached_responses(const ngx_conf_t *cf, const phantom_token_main_t &main,
                              const phantom_token_block_t &block) noexcept;

/// Warns of an endpoint by a map whose value nginx keeps over a redirect.
/// @param maps the same for all blocks; what is found out about maps for one is used for the next.
/// @return NGX_OK, or NGX_ERROR where there is no memory.
ngx_int_t warn_of_kept_maps(ngx_conf_t *cf, const phantom_token_main_t &main, const phantom_token_block_t &block,
                            Maps &maps) noexcept;

/// Warns of a location that takes revocations into a zone by which nothing is refused.
void warn_of_unused_revocations(const ngx_conf_t *cf, const phantom_token_main_t &main,
                                const phantom_token_block_t &block) noexcept;

/// Proofs are checked, and nobody notices one that is used again.
void warn_of_replay(const ngx_conf_t *cf, const phantom_token_main_t &main,
                    const phantom_token_block_t &block) noexcept;

}  // namespace gateway
