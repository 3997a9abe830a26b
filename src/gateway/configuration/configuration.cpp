// What is worked out and checked when the whole configuration has been read.

#include "configuration.h"

#include <string_view>

#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../../nginx/map_variables.h"
#include "../../nginx/strings.h"
#include "../../nginx/upstreams.h"
#include "as_locations.h"
#include "blocks.h"
#include "endpoint.h"
#include "module_configuration.h"
#include "policy.h"
#include "variable_indices.h"
#include "zones.h"

namespace gateway {
namespace {

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
bool add_block(ngx_conf_t *cf, phantom_token_location_t &parent, phantom_token_location_t &location) noexcept {
  auto *block = static_cast<phantom_token_block_t *>(ngx_array_push(&main_of(cf).blocks));
  if (block == nullptr) {
    return false;
  }
  block->location = &location;
  block->parent = &parent;
  block->core = static_cast<ngx_http_core_loc_conf_t *>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  block->server = static_cast<ngx_http_core_srv_conf_t *>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
  block->configurations = static_cast<ngx_http_conf_ctx_t *>(cf->ctx)->loc_conf;
  block->upstream = nullptr;
  // nginx merges a location before the blocks in it.
  location.enclosing_location = block->core->noname != 0 ? parent.enclosing_location : &location;
  return true;
}

/// One of the directives that name an internal location.
struct EndpointDirective {
  const char *name;
  ngx_http_complex_value_t *value;  ///< nullptr where it is not there
  phantom_token_position_t at;
  bool is_about_tokens;
};

struct EndpointDirectives {
  EndpointDirective items[3];
  const EndpointDirective *begin() const noexcept { return items; }
  const EndpointDirective *end() const noexcept { return items + std::size(items); }
};

EndpointDirectives endpoints(const phantom_token_location_t &location) noexcept {
  return {{{"phantom_token_introspection_endpoint", location.introspection_endpoint, location.introspection_endpoint_at,
            true},
           {"phantom_token_exchange_endpoint", location.exchange_endpoint, location.exchange_endpoint_at, true},
           {"phantom_token_jwks_endpoint", location.jwks_endpoint, location.jwks_endpoint_at, false}}};
}

bool has_known_path(const EndpointDirective &endpoint) noexcept {
  return endpoint.value != nullptr && has_constant_path(*endpoint.value);
}

std::string_view path_of(const EndpointDirective &endpoint) noexcept {
  return split_endpoint(to_view(endpoint.value->value)).path;
}

ngx_http_core_loc_conf_t *constant_target(const phantom_token_block_t &block,
                                          const EndpointDirective &endpoint) noexcept {
  return find_location(*block.server, path_of(endpoint));
}

ngx_int_t mark_targets(const phantom_token_block_t &block) noexcept {
  if (!is_protected(block)) {
    return NGX_OK;
  }
  for (const EndpointDirective &endpoint : endpoints(*block.location)) {
    const ngx_http_core_loc_conf_t *target = has_known_path(endpoint) ? constant_target(block, endpoint) : nullptr;
    if (target != nullptr && is_internal(*target)) {
      phantom_token_location_t &location = location_of(*target);
      location.endpoint_at = endpoint.at;
      location.is_endpoint_location = 1;
      location.receives_tokens |= endpoint.is_about_tokens ? 1U : 0U;
      const bool sends_credentials = !block.location->policy->token_request.authorization.empty();
      location.receives_credentials |= endpoint.is_about_tokens && sends_credentials ? 1U : 0U;
    }
  }
  return NGX_OK;
}

bool has_varying_endpoint(const phantom_token_block_t &block) noexcept {
  for (const EndpointDirective &endpoint : endpoints(*block.location)) {
    if (endpoint.value != nullptr && !has_known_path(endpoint)) {
      return true;
    }
  }
  return false;
}

/// Introspection locations inherit `phantom_token on` from their server, but no client ever comes there. With
/// variables in an endpoint, any internal location may be one.
bool may_serve_gateway(const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept {
  const auto leads_here = [&](const phantom_token_block_t &candidate) {
    const bool is_target = is_same_location(block, candidate) && candidate.location->is_endpoint_location != 0;
    const bool varies = candidate.server == block.server && is_protected(candidate) && has_varying_endpoint(candidate);
    return is_target || varies ? NGX_ERROR : NGX_OK;
  };
  return is_internal(*block.core) && for_each_block(main, leads_here) == NGX_ERROR;
}

/// A name without a slash stands for `internal`, but a rewrite in the client's request gets there.
void hide(const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept {
  if (has_no_slash(*block.core) && may_serve_gateway(main, block)) {
    block.location->refuses_clients = 1;
  }
}

/// Where an `if` stands in a location, it may choose who answers there.
void mark_branches(const phantom_token_block_t &block) noexcept {
  if (is_if(*block.core)) {
    block.location->enclosing_location->has_if = 1;
  }
}

/// What an `if` passes on, it may keep as its location does.
void mark_caches(const ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  if (block.location->enabled != PHANTOM_TOKEN_OFF && has_cache(upstream_of(cf, *block.core, block.configurations))) {
    block.location->enclosing_location->caches_responses = 1;
  }
}

/// The key itself cannot be seen.
void warn_of_cached_responses(const ngx_conf_t *cf, const phantom_token_main_t &main,
                              const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  if (location.enclosing_location != &location || location.caches_responses == 0 ||
      is_server_block(*block.core, *block.server) || may_serve_gateway(main, block)) {
    return;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                "location \"%V\" is protected and keeps responses in a cache: its cache key must hold "
                "$phantom_token_key, or one client may get the response that was for another%s",
                &name,
                location.enabled == PHANTOM_TOKEN_OPTIONAL
                    ? "; requests without a token, for which that is empty, share their responses"
                    : "");
}

/// @return NGX_OK where the target of a constant endpoint is there, and internal.
ngx_int_t check_target(ngx_conf_t *cf, const phantom_token_block_t &block, const EndpointDirective &endpoint) noexcept {
  const ngx_str_t name = display_name(*block.core);
  const ngx_str_t path = to_ngx_str(path_of(endpoint));
  const ngx_http_core_loc_conf_t *target = constant_target(block, endpoint);
  if (target == nullptr) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" of location \"%V\" is \"%V\", but no location of the server matches that: add "
                  "\"location = %V { internal; ... }\" in %V:%ui",
                  endpoint.name, &name, &endpoint.value->value, &path, &endpoint.at.file, endpoint.at.line);
    return NGX_ERROR;
  }
  if (!is_internal(*target) && to_view(target->name) != path_of(endpoint)) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" of location \"%V\" is \"%V\", which leads to location \"%V\", since none has that name, and "
                  "clients can reach that: correct the URI, or add \"location = %V { internal; ... }\" in %V:%ui",
                  endpoint.name, &name, &endpoint.value->value, &target->name, &path, &endpoint.at.file,
                  endpoint.at.line);
    return NGX_ERROR;
  }
  if (!is_internal(*target)) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" of location \"%V\" leads to location \"%V\", which clients can reach: add \"internal;\" to "
                  "it in %V:%ui",
                  endpoint.name, &name, &target->name, &endpoint.at.file, endpoint.at.line);
    return NGX_ERROR;
  }
  return NGX_OK;
}

/// Nobody but the gateway gets into a location that reaches the authorization server for tokens, whatever the path is.
/// A name that is not the endpoint's may have been meant for other requests too.
void warn_of_wide_location(ngx_conf_t *cf, const phantom_token_block_t &block,
                           const EndpointDirective &endpoint) noexcept {
  const ngx_http_core_loc_conf_t &target = *constant_target(block, endpoint);
  phantom_token_location_t &location = location_of(target);
  const ngx_str_t path = to_ngx_str(path_of(endpoint));
  if (location.receives_tokens == 0 || location.warned_of_name != 0 || to_view(target.name) == to_view(path)) {
    return;
  }
  location.warned_of_name = 1;
  ngx_log_error(
      NGX_LOG_WARN, cf->log, 0,
      "location \"%V\" serves \"%V\", where the gateway asks the authorization server: whatever else comes to "
      "this location, by an include, auth_request or a redirect, is refused; give the endpoint one of its own: "
      "\"location = %V { internal; ... }\"; the endpoint is in %V:%ui",
      &target.name, &path, &path, &endpoint.at.file, endpoint.at.line);
}

/// What must not stand together, or not alone, in a protected location.
const char *find_contradiction(const phantom_token_location_t &location) noexcept {
  const bool verifies_clients = location.inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY;
  if (location.introspection_endpoint == nullptr && location.exchange_endpoint == nullptr && !verifies_clients) {
    return "no \"phantom_token_introspection_endpoint\": add it with the URI of the internal location that reaches the "
           "authorization server";
  }
  if (location.client_id.len != 0 && location.client_secret.len == 0) {
    return "\"phantom_token_client_id\" but no \"phantom_token_client_secret_file\": add the file, or remove the id";
  }
  if (location.client_id.len == 0 && location.client_secret.len != 0) {
    return "\"phantom_token_client_secret_file\" but no \"phantom_token_client_id\": add the id, or remove the file";
  }
  if (location.client_auth == PHANTOM_TOKEN_CLIENT_AUTH_BASIC_RAW &&
      to_view(location.client_id).find(':') != std::string_view::npos) {
    return "a \"phantom_token_client_id\" with a colon, which \"phantom_token_client_auth basic_raw\" cannot send: use "
           "\"basic\" or \"post\"";
  }
  if (location.jwks_endpoint == nullptr && (location.verify_jwt != 0 || verifies_clients)) {
    return "signatures to verify but no \"phantom_token_jwks_endpoint\": add it with the URI of the internal location "
           "that reaches the authorization server's JWKS";
  }
  if (verifies_clients && location.policy->requirements.audiences.empty()) {
    return "\"phantom_token_inbound_jwt verify\" but no \"phantom_token_audience\": add it, or every ID token of the "
           "authorization server would be let in, since the same keys sign them";
  }
  return nullptr;
}

/// Protected or not: two that stand at one level are there to be used. What an unprotected location inherits from its
/// server, it does not use.
ngx_int_t check_endpoints(ngx_conf_t *cf, const phantom_token_main_t &main,
                          const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  const bool has_both = location.introspection_endpoint != nullptr && location.exchange_endpoint != nullptr;
  const bool uses_both = is_protected(block) || location.exchange_endpoint != block.parent->exchange_endpoint ||
                         location.introspection_endpoint != block.parent->introspection_endpoint;
  if (!has_both || !uses_both || is_server_block(*block.core, *block.server) || may_serve_gateway(main, block)) {
    return NGX_OK;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(
      NGX_LOG_EMERG, cf->log, 0,
      "location \"%V\" has both \"phantom_token_introspection_endpoint\" and "
      "\"phantom_token_exchange_endpoint\": a token is either introspected or exchanged, remove one in %V:%ui",
      &name, &location.exchange_endpoint_at.file, location.exchange_endpoint_at.line);
  return NGX_ERROR;
}

/// Protected or not: nginx itself would only say that a zone has no size, and not where.
ngx_int_t check_hot_cache(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  const ngx_shm_zone_t *zone = block.location->hot_cache;
  if (zone == nullptr || is_declared(*zone)) {
    return NGX_OK;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                "\"phantom_token_hot_cache\" of location \"%V\" names the zone \"%V\", which is unknown: add "
                "\"phantom_token_hot_cache zone=%V:16m;\" to \"http\" in %V:%ui",
                &name, &zone->shm.name, &zone->shm.name, &block.location->hot_cache_at.file,
                block.location->hot_cache_at.line);
  return NGX_ERROR;
}

ngx_int_t check_block(ngx_conf_t *cf, const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  if (!is_protected(block) || may_serve_gateway(main, block)) {
    return NGX_OK;
  }
  if (const char *contradiction = find_contradiction(location)) {
    const ngx_str_t name = display_name(*block.core);
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"phantom_token\" is on in location \"%V\" with %s in %V:%ui", &name,
                  contradiction, &location.enabled_at.file, location.enabled_at.line);
    return NGX_ERROR;
  }
  for (const EndpointDirective &endpoint : endpoints(location)) {
    if (has_known_path(endpoint) && check_target(cf, block, endpoint) != NGX_OK) {
      return NGX_ERROR;
    }
    if (has_known_path(endpoint)) {
      warn_of_wide_location(cf, block, endpoint);
    }
  }
  return NGX_OK;
}

void warn_of_unverified(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  if (is_protected(block) && block.location->inbound_jwt == PHANTOM_TOKEN_INBOUND_PASS) {
    const ngx_str_t name = display_name(*block.core);
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"phantom_token_inbound_jwt pass\" lets JWTs through location \"%V\" whose signatures nobody has "
                  "verified: the API must do so; \"verify\" does it here",
                  &name);
  }
}

bool is_first_with(const phantom_token_main_t &main, const phantom_token_block_t &block,
                   const EndpointDirective &endpoint) noexcept {
  const auto *blocks = static_cast<const phantom_token_block_t *>(main.blocks.elts);
  for (const phantom_token_block_t *earlier = blocks; earlier != &block; earlier++) {
    for (const EndpointDirective &other : endpoints(*earlier->location)) {
      if (other.value == endpoint.value && is_protected(*earlier)) {
        return false;
      }
    }
  }
  return true;
}

/// This module's variables that are the client's over all redirects.
bool stays_over_redirects(const ngx_conf_t *cf, std::string_view name) noexcept {
  constexpr std::string_view prefix = "phantom_token_http_";
  return name.substr(0, prefix.size()) == prefix || is_of_client(cf, main_of(cf).variables->origins, name);
}

/// nginx evaluates a map once for a request, unless it is `volatile`: after a redirect the first location's
/// authorization server would be asked again.
ngx_int_t warn_of_kept_maps(ngx_conf_t *cf, const phantom_token_main_t &main, const phantom_token_block_t &block,
                            Maps &maps) noexcept {
  if (!is_protected(block)) {
    return NGX_OK;
  }
  for (const EndpointDirective &endpoint : endpoints(*block.location)) {
    if (endpoint.value == nullptr || is_constant(*endpoint.value)) {
      continue;
    }
    if (!maps.are_known && learn_maps(cf, "$phantom_token_map", maps) != NGX_OK) {
      return NGX_ERROR;
    }
    const std::string_view map = find_kept_map(cf, maps, to_view(endpoint.value->value), stays_over_redirects);
    if (!map.empty() && is_first_with(main, block, endpoint)) {
      const ngx_str_t name = display_name(*block.core);
      const ngx_str_t variable = to_ngx_str(map);
      ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                    "\"%s\" of location \"%V\" has the variable \"$%V\" of a map: after a redirect from one protected "
                    "location to another, nginx keeps the value that it had in the first, and the authorization server "
                    "of the first is asked again: add \"volatile;\" to the map; the endpoint is in %V:%ui",
                    endpoint.name, &name, &variable, &endpoint.at.file, endpoint.at.line);
    }
  }
  return NGX_OK;
}

}  // namespace

void number_servers(ngx_conf_t *cf) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  auto *const *servers = static_cast<ngx_http_core_srv_conf_t **>(cmcf.servers.elts);
  for (ngx_uint_t i = 0; i < cmcf.servers.nelts; i++) {
    ngx_uint_t ordinal = 0;
    for (ngx_uint_t earlier = 0; earlier < i; earlier++) {
      ordinal += to_view(servers[earlier]->server_name) == to_view(servers[i]->server_name) ? 1 : 0;
    }
    phantom_token_server_t &server = server_of(*servers[i]);
    const u_char *end = ngx_snprintf(server.ordinal, sizeof(server.ordinal), "%ui", ordinal);
    server.ordinal_length = static_cast<size_t>(end - server.ordinal);
  }
}

ngx_int_t set_fingerprints(ngx_conf_t *cf) noexcept {
  return for_each_block(main_of(cf), [cf](const phantom_token_block_t &block) {
    return set_fingerprint(cf->pool, block) ? NGX_OK : NGX_ERROR;
  });
}

ngx_int_t check_configuration(ngx_conf_t *cf) noexcept {
  const phantom_token_main_t &main = main_of(cf);
  Maps maps;
  const auto check = [&](const phantom_token_block_t &block) {
    warn_of_unverified(cf, block);
    hide(main, block);
    mark_branches(block);
    warn_of_cached_responses(cf, main, block);
    const bool is_good = check_endpoints(cf, main, block) == NGX_OK && check_hot_cache(cf, block) == NGX_OK &&
                         check_block(cf, main, block) == NGX_OK && warn_of_kept_maps(cf, main, block, maps) == NGX_OK;
    return is_good ? NGX_OK : NGX_ERROR;
  };
  const auto mark = [&](const phantom_token_block_t &block) {
    mark_caches(cf, block);
    return mark_targets(block);
  };
  if (for_each_block(main, mark) != NGX_OK || for_each_block(main, check) != NGX_OK) {
    return NGX_ERROR;
  }
  return check_as_locations(cf, main_of(cf));
}

}  // namespace gateway

extern "C" {

char *phantom_token_finish_merge(ngx_conf_t *cf, phantom_token_location_t *parent, phantom_token_location_t *child) {
  gateway::resolve_scopes(*parent, parent->scopes);
  gateway::resolve_scopes(*child, parent->scopes);
  child->policy = gateway::make_policy(cf->pool, *child);
  if (child->policy == nullptr || !gateway::add_block(cf, *parent, *child)) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  return NGX_CONF_OK;
}

}  // extern "C"
