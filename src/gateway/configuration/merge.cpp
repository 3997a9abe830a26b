// What a block has when nginx has merged it: the scopes that count, its policy, its place in the list of all blocks.

#include "../../nginx/core_configuration.h"
#include "module_configuration.h"
#include "policy.h"

namespace gateway {
namespace {

/// phantom_token_scopes beats phantom_token_scope, but only on one level; a nearer level beats both.
void resolve_scopes(phantom_token_location_t &location, ngx_array_t *inherited) noexcept {
  if (location.scopes_line != nullptr) {
    location.scopes = location.scopes_line;
  } else if (location.scope_lines != nullptr) {
    location.scopes = location.scope_lines;
  } else {
    location.scopes = inherited;
  }
}

/// nginx keeps no list of all locations that a module could walk, so every merge adds to ours.
bool add_block(ngx_conf_t *cf, phantom_token_location_t &parent, phantom_token_location_t &location) noexcept {
  auto *block = static_cast<phantom_token_block_t *>(ngx_array_push(&main_of(cf).blocks));
  if (block == nullptr) {
    return false;
  }
  block->location = &location;
  block->parent = &parent;
  block->core = &core_location_of(cf);
  block->server = &core_server_of(cf);
  block->configurations = static_cast<ngx_http_conf_ctx_t *>(cf->ctx)->loc_conf;
  block->upstream = nullptr;
  // nginx merges a location before the blocks in it, so the parent knows its own by now.
  location.enclosing_location = block->core->noname != 0 ? parent.enclosing_location : &location;
  return true;
}

}  // namespace
}  // namespace gateway

extern "C" {

char *phantom_token_finish_merge(ngx_conf_t *cf, phantom_token_location_t *parent, phantom_token_location_t *child) {
  gateway::resolve_scopes(*parent, parent->scopes);  // that of `http` has never been a child
  gateway::resolve_scopes(*child, parent->scopes);
  child->policy = gateway::make_policy(cf->pool, *child);
  if (child->policy == nullptr || !gateway::add_block(cf, *parent, *child)) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  return NGX_CONF_OK;
}

}  // extern "C"
