#pragma once

#include "../../nginx/locations.h"
#include "module_configuration.h"

namespace gateway {

/// All blocks of the configuration, in the order in which nginx has merged them: `for (… &block : blocks_of(main))`.
template <typename Block>
class Blocks {
 public:
  explicit Blocks(const ngx_array_t &blocks) noexcept
      : first_(static_cast<Block *>(blocks.elts)), count_(blocks.nelts) {}

  Block *begin() const noexcept { return first_; }
  Block *end() const noexcept { return first_ + count_; }

 private:
  Block *first_;
  ngx_uint_t count_;
};

inline Blocks<phantom_token_block_t> blocks_of(phantom_token_main_t &main) noexcept {
  return Blocks<phantom_token_block_t>(main.blocks);
}

inline Blocks<const phantom_token_block_t> blocks_of(const phantom_token_main_t &main) noexcept {
  return Blocks<const phantom_token_block_t>(main.blocks);
}

/// @return whether the two are one block, or parts of one location: itself, an `if` or a limit_except in it.
inline bool is_same_location(const phantom_token_block_t &one, const phantom_token_block_t &other) noexcept {
  return one.location->enclosing_location == other.location->enclosing_location;
}

/// A server's own block only hands its directives down, and what an `if` has is used by the location around it: neither
/// is asked for an endpoint.
inline bool is_protected(const phantom_token_block_t &block) noexcept {
  return block.location->enabled != PHANTOM_TOKEN_OFF && !is_if(*block.core) &&
         !is_server_block(*block.core, *block.server);
}

}  // namespace gateway
