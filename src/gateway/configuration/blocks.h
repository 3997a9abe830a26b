#pragma once

#include "../../nginx/locations.h"
#include "module_configuration.h"

namespace gateway {

/// @return whether one block is the other, or an `if` or limit_except in it.
inline bool is_same_location(const phantom_token_block_t &one, const phantom_token_block_t &other) noexcept {
  return one.location->enclosing_location == other.location->enclosing_location;
}

/// A server's own block only hands its directives down: a location asks for an endpoint when it ends up protected. What
/// an `if` in it has is the location's.
inline bool is_protected(const phantom_token_block_t &block) noexcept {
  return block.location->enabled != PHANTOM_TOKEN_OFF && !is_if(*block.core) &&
         !is_server_block(*block.core, *block.server);
}

/// A walk over all blocks that stops at the first refusal.
/// @param check is given a block; it returns NGX_OK, or NGX_ERROR to stop.
template <typename Check>
ngx_int_t for_each_block(const phantom_token_main_t &main, Check check) noexcept {
  const auto *blocks = static_cast<const phantom_token_block_t *>(main.blocks.elts);
  for (ngx_uint_t i = 0; i < main.blocks.nelts; i++) {
    if (check(blocks[i]) != NGX_OK) {
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

}  // namespace gateway
