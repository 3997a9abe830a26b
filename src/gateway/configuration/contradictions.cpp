// Directives that contradict each other, or lack another one.

#include "contradictions.h"

#include <string_view>

#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "blocks.h"
#include "client_contradictions.h"
#include "endpoint_targets.h"
#include "policy.h"
#include "signing_contradictions.h"
#include "zones.h"

namespace gateway {
namespace {

/// Both endpoints inherited, and protection off: this block does not use them.
bool uses_token_endpoints(const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  return is_protected(block) || location.exchange_endpoint != block.parent->exchange_endpoint ||
         location.introspection_endpoint != block.parent->introspection_endpoint;
}

const char *find_signature_fault(const phantom_token_location_t &location) noexcept {
  const bool verifies_clients = location.inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY;
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

/// @return nullptr, or what stands in the block, and what to do.
const char *find_contradiction(const phantom_token_location_t &location) noexcept {
  if (location.introspection_endpoint == nullptr && location.exchange_endpoint == nullptr &&
      location.inbound_jwt != PHANTOM_TOKEN_INBOUND_VERIFY) {
    return "no \"phantom_token_introspection_endpoint\": add it with the URI of the internal location that reaches the "
           "authorization server";
  }
  for (const auto find_fault : {find_client_contradiction, find_signature_fault, find_signing_contradiction}) {
    if (const char *fault = find_fault(location)) {
      return fault;
    }
  }
  return nullptr;
}

/// A zone that a directive of a location names.
struct NamedZone {
  const ngx_shm_zone_t *zone;  ///< may be nullptr
  ZoneKind kind;
  const char *directive;
  const char *declaring;  ///< the directive by which it is to be declared
  const phantom_token_position_t &position;
};

ngx_int_t check_zone(ngx_conf_t *cf, const phantom_token_block_t &block, const NamedZone &named) noexcept {
  if (named.zone == nullptr || is_declared(*named.zone, named.kind)) {
    return NGX_OK;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(
      NGX_LOG_EMERG, cf->log, 0,
      "\"%s\" of location \"%V\" names the zone \"%V\", which is unknown: add \"%s zone=%V:16m;\" to \"http\" "
      "in %V:%ui",
      named.directive, &name, &named.zone->shm.name, named.declaring, &named.zone->shm.name, &named.position.file,
      named.position.line);
  return NGX_ERROR;
}

}  // namespace

ngx_int_t check_token_endpoints(ngx_conf_t *cf, const phantom_token_main_t &main,
                                const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  const bool has_both = location.introspection_endpoint != nullptr && location.exchange_endpoint != nullptr;
  if (!has_both || !uses_token_endpoints(block) || is_server_block(*block.core, *block.server) ||
      may_be_endpoint_target(main, block)) {
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

ngx_int_t check_zones(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  const NamedZone named[] = {
      {location.hot_cache, ZoneKind::hot_cache, "phantom_token_hot_cache", "phantom_token_hot_cache",
       location.hot_cache_at},
      {location.revocation, ZoneKind::revocations, "phantom_token_revocation", "phantom_token_revocation",
       location.revocation_at},
      {location.takes_revocations, ZoneKind::revocations, "phantom_token_revoke", "phantom_token_revocation",
       location.takes_revocations_at},
      {location.dpop_replay, ZoneKind::replays, "phantom_token_dpop_replay", "phantom_token_dpop_replay",
       location.dpop_replay_at},
  };
  for (const NamedZone &name : named) {
    if (check_zone(cf, block, name) != NGX_OK) {
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

ngx_int_t check_published_keys(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  if (block.location->publishes_keys_at.file.len == 0 || !signing_keys(block.location->signing_keys).empty()) {
    return NGX_OK;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                "\"phantom_token_jwks\" of location \"%V\" has no key to publish: add \"phantom_token_signing_key\" to "
                "the location, or to the server around it, in %V:%ui",
                &name, &block.location->publishes_keys_at.file, block.location->publishes_keys_at.line);
  return NGX_ERROR;
}

ngx_int_t check_contradictions(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  const char *contradiction = find_contradiction(location);
  if (contradiction == nullptr) {
    return NGX_OK;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"phantom_token\" is on in location \"%V\" with %s in %V:%ui", &name,
                contradiction, &location.enabled_at.file, location.enabled_at.line);
  return NGX_ERROR;
}

}  // namespace gateway
