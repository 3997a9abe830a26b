// The order in which the whole configuration is looked at.

#include "checks.h"

#include "../../nginx/client_certificates.h"
#include "../../nginx/locations.h"
#include "../../nginx/map_variables.h"
#include "as_locations.h"
#include "blocks.h"
#include "contradictions.h"
#include "endpoint_targets.h"
#include "resource_checks.h"
#include "warnings.h"

namespace gateway {
namespace {

/// What the checks of other blocks ask for.
void mark(const ngx_conf_t *cf, phantom_token_block_t &block) noexcept {
  mark_cached_responses(cf, block);
  mark_endpoint_targets(block);
  block.location->may_have_certificate = asks_for_certificates(cf, *block.server) ? 1 : 0;
  if (is_if(*block.core)) {
    block.location->enclosing_location->has_if = 1;
  }
}

/// An introspection location inherits `phantom_token on` from its server, but no client ever comes there.
bool serves_clients(const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept {
  return is_protected(block) && !may_be_endpoint_target(main, block);
}

ngx_int_t check(ngx_conf_t *cf, const phantom_token_main_t &main, const phantom_token_block_t &block,
                Maps &maps) noexcept {
  warn_of_unverified_jwts(cf, block);
  warn_of_cached_responses(cf, main, block);
  warn_of_unused_revocations(cf, main, block);
  warn_of_replay(cf, main, block);
  if (check_token_endpoints(cf, main, block) != NGX_OK || check_zones(cf, block) != NGX_OK ||
      check_published_keys(cf, block) != NGX_OK || check_resource_document(cf, block) != NGX_OK) {
    return NGX_ERROR;
  }
  const bool is_for_clients = serves_clients(main, block);
  const bool asks = is_for_clients || block.location->takes_revocations != nullptr;
  if ((is_for_clients && check_contradictions(cf, block) != NGX_OK) ||
      (asks && check_endpoint_targets(cf, block) != NGX_OK)) {
    return NGX_ERROR;
  }
  return warn_of_kept_maps(cf, main, block, maps);
}

}  // namespace

ngx_int_t check_configuration(ngx_conf_t *cf) noexcept {
  phantom_token_main_t &main = main_of(cf);
  Maps maps;
  for (phantom_token_block_t &block : blocks_of(main)) {
    mark(cf, block);
  }
  for (phantom_token_block_t &block : blocks_of(main)) {
    mark_refusal_of_clients(main, block);
    if (check(cf, main, block, maps) != NGX_OK) {
      return NGX_ERROR;
    }
  }
  return check_as_locations(cf, main);
}

}  // namespace gateway
