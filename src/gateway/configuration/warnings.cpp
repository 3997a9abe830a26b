#include "warnings.h"

#include <algorithm>
#include <string_view>

#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../nginx/upstreams.h"
#include "blocks.h"
#include "endpoint.h"
#include "endpoint_directives.h"
#include "endpoint_targets.h"
#include "variable_indices.h"

namespace gateway {
namespace {

bool has_variables(const EndpointDirective &endpoint) noexcept {
  return endpoint.value != nullptr && !is_constant(*endpoint.value);
}

/// An inherited endpoint is that of several blocks.
bool is_first_with(const phantom_token_main_t &main, const phantom_token_block_t &block,
                   const EndpointDirective &endpoint) noexcept {
  return std::none_of(blocks_of(main).begin(), &block, [&endpoint](const phantom_token_block_t &earlier) {
    const auto others = endpoint_directives(*earlier.location);
    return is_protected(earlier) &&
           std::any_of(others.begin(), others.end(),
                       [&endpoint](const EndpointDirective &other) { return other.value == endpoint.value; });
  });
}

/// $phantom_token_http_NAME is a header of the client's request, whatever location that is in.
bool stays_over_redirects(const ngx_conf_t *cf, std::string_view name) noexcept {
  constexpr std::string_view prefix = "phantom_token_http_";
  return name.substr(0, prefix.size()) == prefix || is_of_client(cf, main_of(cf).variables->origins, name);
}

void warn_of_kept_map(const ngx_conf_t *cf, const phantom_token_block_t &block, const EndpointDirective &endpoint,
                      std::string_view map) noexcept {
  const ngx_str_t name = display_name(*block.core);
  const ngx_str_t variable = to_ngx_str(map);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                "\"%s\" of location \"%V\" has the variable \"$%V\" of a map: after a redirect from one protected "
                "location to another, nginx keeps the value that it had in the first, and the authorization server "
                "of the first is asked again: add \"volatile;\" to the map; the endpoint is in %V:%ui",
                endpoint.name, &name, &variable, &endpoint.at.file, endpoint.at.line);
}

}  // namespace

void warn_of_unverified_jwts(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  if (is_protected(block) && block.location->inbound_jwt == PHANTOM_TOKEN_INBOUND_PASS) {
    const ngx_str_t name = display_name(*block.core);
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"phantom_token_inbound_jwt pass\" lets JWTs through location \"%V\" whose signatures nobody has "
                  "verified: the API must do so; \"verify\" does it here",
                  &name);
  }
}

/// An `if` may have a proxy_pass of its own, with the proxy_cache that its location has.
void mark_cached_responses(const ngx_conf_t *cf, phantom_token_block_t &block) noexcept {
  if (block.location->enabled != PHANTOM_TOKEN_OFF && has_cache(upstream_of(cf, *block.core, block.configurations))) {
    block.location->enclosing_location->caches_responses = 1;
  }
}

void warn_of_cached_responses(const ngx_conf_t *cf, const phantom_token_main_t &main,
                              const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  if (location.enclosing_location != &location || location.caches_responses == 0 ||
      is_server_block(*block.core, *block.server) || may_be_endpoint_target(main, block)) {
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

/// nginx evaluates a map once for a request, unless it is `volatile`: after a redirect to another location the
/// authorization server of the first location would be asked.
ngx_int_t warn_of_kept_maps(ngx_conf_t *cf, const phantom_token_main_t &main, const phantom_token_block_t &block,
                            Maps &maps) noexcept {
  if (!is_protected(block)) {
    return NGX_OK;
  }
  for (const EndpointDirective &endpoint : endpoint_directives(*block.location)) {
    if (!has_variables(endpoint)) {
      continue;
    }
    if (!maps.are_known && learn_maps(cf, "$phantom_token_map", maps) != NGX_OK) {
      return NGX_ERROR;
    }
    const std::string_view map = find_kept_map(cf, maps, to_view(endpoint.value->value), stays_over_redirects);
    if (!map.empty() && is_first_with(main, block, endpoint)) {
      warn_of_kept_map(cf, block, endpoint, map);
    }
  }
  return NGX_OK;
}

void warn_of_unused_revocations(const ngx_conf_t *cf, const phantom_token_main_t &main,
                                const phantom_token_block_t &block) noexcept {
  const ngx_shm_zone_t *zone = block.location->takes_revocations;
  const auto all = blocks_of(main);
  const auto refuses = [zone](const phantom_token_block_t &other) {
    return is_protected(other) && other.location->revocation == zone;
  };
  if (zone == nullptr || std::any_of(all.begin(), all.end(), refuses)) {
    return;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                "location \"%V\" takes revocations into the zone \"%V\", and no protected location refuses by it: add "
                "\"phantom_token_revocation %V;\" to those in %V:%ui",
                &name, &zone->shm.name, &zone->shm.name, &block.location->takes_revocations_at.file,
                block.location->takes_revocations_at.line);
}

void warn_of_replay(const ngx_conf_t *cf, const phantom_token_main_t &main,
                    const phantom_token_block_t &block) noexcept {
  const phantom_token_location_t &location = *block.location;
  const bool checks_proofs = location.confirmation == PHANTOM_TOKEN_CONFIRMATION_VERIFY ||
                             location.confirmation == PHANTOM_TOKEN_CONFIRMATION_REQUIRE;
  if (!is_protected(block) || !checks_proofs || location.dpop_replay != nullptr ||
      may_be_endpoint_target(main, block)) {
    return;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                "\"phantom_token_confirmation\" of location \"%V\" checks proofs, and a stolen proof can be used again "
                "while it is new: add \"phantom_token_dpop_replay zone=NAME:1m;\" to \"http\" and "
                "\"phantom_token_dpop_replay NAME;\" to the location",
                &name);
}

}  // namespace gateway
