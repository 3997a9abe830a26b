#include "resource_checks.h"

#include <string_view>

#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../oauth/resource_metadata.h"
#include "blocks.h"
#include "endpoint.h"
#include "policy.h"

namespace gateway {
namespace {

bool has_resource(const phantom_token_location_t &location) noexcept {
  return location.resource != nullptr && (!is_constant(*location.resource) || location.resource->value.len != 0);
}

void warn(const ngx_conf_t *cf, const phantom_token_block_t &block, const char *problem) noexcept {
  const phantom_token_position_t &at = block.location->publishes_metadata_at;
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0, "\"phantom_token_resource_document\" of location \"%V\" %s in %V:%ui", &name,
                problem, &at.file, at.line);
}

void warn_of_issuer(const ngx_conf_t *cf, const phantom_token_block_t &block, std::string_view issuer) noexcept {
  const phantom_token_position_t &at = block.location->publishes_metadata_at;
  const ngx_str_t name = display_name(*block.core);
  const ngx_str_t shown = printable(cf->pool, issuer);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                "\"phantom_token_resource_document\" of location \"%V\" leaves out the issuer \"%V\", which is no http "
                "or https URL: name the authorization server by \"authorization_servers=URL\" in %V:%ui",
                &name, &shown, &at.file, at.line);
}

void warn_of_servers(const ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  const phantom_token_policy_t &policy = *block.location->policy;
  if (!policy.authorization_servers.empty()) {
    return;
  }
  if (policy.requirements.issuers.empty()) {
    warn(cf, block,
         "names no authorization server, so no client learns from it where to get a token: add "
         "\"phantom_token_issuer\", or \"authorization_servers=URL\" to the line");
  }
  for (const std::string_view issuer : policy.requirements.issuers) {
    if (!oauth::is_issuer_identifier(issuer)) {
      warn_of_issuer(cf, block, issuer);
    }
  }
}

}  // namespace

ngx_int_t check_resource_document(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  const phantom_token_position_t &at = block.location->publishes_metadata_at;
  if (at.file.len == 0) {
    return NGX_OK;
  }
  if (!has_resource(*block.location)) {
    const ngx_str_t name = display_name(*block.core);
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"phantom_token_resource_document\" of location \"%V\" has no resource to describe: add "
                  "\"phantom_token_resource\" with the URL by which clients know the API, to the location or to the "
                  "server around it, in %V:%ui",
                  &name, &at.file, at.line);
    return NGX_ERROR;
  }
  if (block.location->enabled == PHANTOM_TOKEN_ON) {
    warn(cf, block,
         "is protected, so no client can read it before it has a token, which it is to learn there how to get: add "
         "\"phantom_token off;\"");
  }
  warn_of_servers(cf, block);
  return NGX_OK;
}

}  // namespace gateway
