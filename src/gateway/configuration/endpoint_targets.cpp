// What the endpoint directives lead to.

#include "endpoint_targets.h"

#include <algorithm>
#include <string_view>

#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "blocks.h"
#include "endpoint_directives.h"
#include "policy.h"

namespace gateway {
namespace {

void mark_target(const phantom_token_block_t &block, const EndpointDirective &endpoint,
                 phantom_token_location_t &target) noexcept {
  const bool sends_credentials = !block.location->policy->token_request.authorization.empty();
  target.endpoint_at = endpoint.at;
  target.is_endpoint_location = 1;
  target.receives_tokens |= endpoint.is_about_tokens ? 1U : 0U;
  target.receives_credentials |= endpoint.is_about_tokens && sends_credentials ? 1U : 0U;
}

/// A location that takes revocations asks for the keys that sign them, whether or not it is protected.
bool asks(const phantom_token_block_t &block, const EndpointDirective &endpoint) noexcept {
  return is_protected(block) || (block.location->takes_revocations != nullptr && !endpoint.is_about_tokens);
}

bool has_endpoint_with_variable_path(const phantom_token_block_t &block) noexcept {
  const auto endpoints = endpoint_directives(*block.location);
  return std::any_of(endpoints.begin(), endpoints.end(), [&block](const EndpointDirective &endpoint) {
    return endpoint.value != nullptr && asks(block, endpoint) && !has_known_path(endpoint);
  });
}

/// @return NGX_OK where the endpoint, whose path is known, leads to an internal location.
ngx_int_t check_target(ngx_conf_t *cf, const phantom_token_block_t &block, const EndpointDirective &endpoint) noexcept {
  const ngx_str_t name = display_name(*block.core);
  const ngx_str_t path = to_ngx_str(path_of(endpoint));
  const ngx_http_core_loc_conf_t *target = find_target(block, endpoint);
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

/// A location that token requests go to refuses everybody but the gateway, also under other paths than the endpoint's.
/// Where it has another name than the endpoint, the operator may have meant it for other requests too.
void warn_of_other_name(ngx_conf_t *cf, const EndpointDirective &endpoint, ngx_http_core_loc_conf_t &target) noexcept {
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

}  // namespace

void mark_endpoint_targets(const phantom_token_block_t &block) noexcept {
  for (const EndpointDirective &endpoint : endpoint_directives(*block.location)) {
    const bool is_known = asks(block, endpoint) && has_known_path(endpoint);
    ngx_http_core_loc_conf_t *target = is_known ? find_target(block, endpoint) : nullptr;
    if (target != nullptr && is_internal(*target)) {
      mark_target(block, endpoint, location_of(*target));
    }
  }
}

bool may_be_endpoint_target(const phantom_token_main_t &main, const phantom_token_block_t &block) noexcept {
  if (!is_internal(*block.core)) {
    return false;
  }
  const auto all = blocks_of(main);
  return std::any_of(all.begin(), all.end(), [&block](const phantom_token_block_t &other) {
    const bool is_target = is_same_location(block, other) && other.location->is_endpoint_location != 0;
    const bool may_lead_here = other.server == block.server && has_endpoint_with_variable_path(other);
    return is_target || may_lead_here;
  });
}

/// No client's URI leads to a name without a slash, but a rewrite in the client's request does.
void mark_refusal_of_clients(const phantom_token_main_t &main, phantom_token_block_t &block) noexcept {
  if (has_no_slash(*block.core) && may_be_endpoint_target(main, block)) {
    block.location->refuses_clients = 1;
  }
}

ngx_int_t check_endpoint_targets(ngx_conf_t *cf, const phantom_token_block_t &block) noexcept {
  for (const EndpointDirective &endpoint : endpoint_directives(*block.location)) {
    if (!asks(block, endpoint) || !has_known_path(endpoint)) {
      continue;
    }
    if (check_target(cf, block, endpoint) != NGX_OK) {
      return NGX_ERROR;
    }
    warn_of_other_name(cf, endpoint, *find_target(block, endpoint));
  }
  return NGX_OK;
}

}  // namespace gateway
