// What is worked out and checked when the whole configuration has been read.

#include <string_view>

#include "cache_zones.h"
#include "endpoint.h"
#include "locations.h"
#include "phases.h"
#include "policy.h"
#include "text.h"
#include "variables.h"

namespace gateway {
namespace {

phantom_token_main_t &main_configuration(ngx_conf_t *cf) noexcept {
  return *static_cast<phantom_token_main_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_phantom_token_module));
}

/// phantom_token_scopes beats phantom_token_scope, but only on one level; a nearer level beats both.
void resolve_scopes(phantom_token_location_t &location, ngx_array_t *inherited) noexcept {
  if (location.scopes_line != NGX_CONF_UNSET_PTR) {
    location.scopes = location.scopes_line;
  } else if (location.scope_lines != NGX_CONF_UNSET_PTR) {
    location.scopes = location.scope_lines;
  } else {
    location.scopes = inherited;
  }
}

/// nginx keeps no list of all locations that a module could walk, so every merge adds to ours.
bool add_block(ngx_conf_t *cf, phantom_token_location_t &location) noexcept {
  auto *block = static_cast<phantom_token_block_t *>(ngx_array_push(&main_configuration(cf).blocks));
  if (block == nullptr) {
    return false;
  }
  block->location = &location;
  block->core = static_cast<ngx_http_core_loc_conf_t *>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  block->server = static_cast<ngx_http_core_srv_conf_t *>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
  block->configurations = static_cast<ngx_http_conf_ctx_t *>(cf->ctx)->loc_conf;
  return true;
}

/// Tells servers of one name apart by their order in the configuration.
void number_servers(ngx_conf_t *cf) noexcept {
  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  auto *const *servers = static_cast<ngx_http_core_srv_conf_t **>(cmcf->servers.elts);
  for (ngx_uint_t i = 0; i < cmcf->servers.nelts; i++) {
    ngx_uint_t ordinal = 0;
    for (ngx_uint_t earlier = 0; earlier < i; earlier++) {
      ordinal += view(servers[earlier]->server_name) == view(servers[i]->server_name) ? 1 : 0;
    }
    auto *server =
        static_cast<phantom_token_server_t *>(servers[i]->ctx->srv_conf[ngx_http_phantom_token_module.ctx_index]);
    const u_char *end = ngx_snprintf(server->ordinal, sizeof(server->ordinal), "%ui", ordinal);
    server->ordinal_length = static_cast<size_t>(end - server->ordinal);
  }
}

/// A walk over all blocks that stops at the first refusal.
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

ngx_http_core_loc_conf_t *constant_target(const phantom_token_block_t &block) noexcept {
  return find_location(*block.server, split_endpoint(view(block.location->introspection_endpoint->value)).path);
}

/// A server's own block only hands its directives down: a location asks for an endpoint when it ends up protected.
bool is_protected(const phantom_token_block_t &block) noexcept {
  return block.location->enabled != 0 && !is_server_block(*block.core, *block.server);
}

bool has_constant_endpoint(const phantom_token_block_t &block) noexcept {
  return block.location->introspection_endpoint != nullptr && is_constant(*block.location->introspection_endpoint);
}

ngx_int_t mark_target(const phantom_token_block_t &block) noexcept {
  if (is_protected(block) && has_constant_endpoint(block)) {
    if (const ngx_http_core_loc_conf_t *target = constant_target(block)) {
      static_cast<phantom_token_location_t *>(target->loc_conf[ngx_http_phantom_token_module.ctx_index])
          ->serves_introspection = 1;
    }
  }
  return NGX_OK;
}

/// Introspection locations inherit `phantom_token on` from their server, but no client ever comes there.
bool may_serve_introspection(const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept {
  if (block.location->serves_introspection != 0) {
    return true;
  }
  return is_internal(*block.core) && for_each_block(main, [&](const phantom_token_block_t &other) {
                                       const bool varies = other.server == block.server && is_protected(other) &&
                                                           other.location->introspection_endpoint != nullptr &&
                                                           !has_constant_endpoint(other);
                                       return varies ? NGX_ERROR : NGX_OK;
                                     }) == NGX_ERROR;
}

ngx_int_t check_endpoint(ngx_conf_t *cf, const phantom_token_main_t &main,
                         const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  if (!is_protected(block) || may_serve_introspection(main, block)) {
    return NGX_OK;
  }

  const ngx_str_t name = display_name(*block.core);
  if (location.introspection_endpoint == nullptr) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"phantom_token\" is on in location \"%V\" without \"phantom_token_introspection_endpoint\": add it "
                  "with the URI of the internal location that reaches the authorization server in %V:%ui",
                  &name, &location.enabled_at.file, location.enabled_at.line);
    return NGX_ERROR;
  }
  if (!is_constant(*location.introspection_endpoint)) {
    return NGX_OK;
  }

  const ngx_http_core_loc_conf_t *target = constant_target(block);
  if (target == nullptr) {
    ngx_log_error(
        NGX_LOG_EMERG, cf->log, 0,
        "\"phantom_token_introspection_endpoint\" of location \"%V\" is \"%V\", but no location of the server "
        "matches that: add \"location = %V { internal; ... }\" in %V:%ui",
        &name, &location.introspection_endpoint->value, &location.introspection_endpoint->value,
        &location.endpoint_at.file, location.endpoint_at.line);
    return NGX_ERROR;
  }
  if (!is_internal(*target)) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"phantom_token_introspection_endpoint\" of location \"%V\" leads to location \"%V\", which clients "
                  "can reach: add \"internal;\" to it in %V:%ui",
                  &name, &target->name, &location.endpoint_at.file, location.endpoint_at.line);
    return NGX_ERROR;
  }
  return NGX_OK;
}

ngx_int_t check_configuration(ngx_conf_t *cf) noexcept {
  const phantom_token_main_t &main = main_configuration(cf);
  if (for_each_block(main, mark_target) != NGX_OK || for_each_block(main, [&](const phantom_token_block_t &block) {
                                                       return check_endpoint(cf, main, block);
                                                     }) != NGX_OK) {
    return NGX_ERROR;
  }
  return check_cache_zones(cf, main);
}

}  // namespace
}  // namespace gateway

extern "C" {

char *phantom_token_finish_merge(ngx_conf_t *cf, phantom_token_location_t *parent, phantom_token_location_t *child) {
  gateway::resolve_scopes(*parent, parent->scopes);
  gateway::resolve_scopes(*child, parent->scopes);
  child->policy = gateway::make_policy(cf->pool, *child);
  if (child->policy == nullptr || !gateway::add_block(cf, *child)) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  return NGX_CONF_OK;
}

ngx_int_t phantom_token_preconfiguration(ngx_conf_t *cf) {
  return gateway::add_variables(cf);
}

ngx_int_t phantom_token_postconfiguration(ngx_conf_t *cf) {
  gateway::number_servers(cf);
  if (gateway::check_configuration(cf) != NGX_OK || gateway::index_variables(cf) != NGX_OK) {
    return NGX_ERROR;
  }
  return gateway::install_phases(cf);
}

}  // extern "C"
