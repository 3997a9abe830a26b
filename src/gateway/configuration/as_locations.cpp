#include "as_locations.h"

#include <algorithm>

#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../nginx/upstreams.h"
#include "../../nginx/variable_lookup.h"
#include "blocks.h"
#include "module_configuration.h"

namespace gateway {
namespace {

bool is_shared(const phantom_token_main_t &main, const phantom_token_block_t &block,
               const ngx_shm_zone_t *zone) noexcept {
  const auto all = blocks_of(main);
  return std::any_of(all.begin(), all.end(), [&block, zone](const phantom_token_block_t &other) {
    return !is_same_location(block, other) && cache_zone(other.upstream) == zone;
  });
}

void warn(const ngx_conf_t *cf, const phantom_token_block_t &block, const char *problem) noexcept {
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_WARN, cf->log, 0, "location \"%V\" reaches the authorization server %s", &name, problem);
}

#if (NGX_HTTP_CACHE)
bool is_part_of_name(u_char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// @param value as it stands in the configuration.
/// @return whether it has the variable in it, as $name or ${name}. nginx ignores the case of names.
bool names_variable(const ngx_str_t &value, std::string_view name) noexcept {
  const u_char *end = value.data + value.len;
  for (u_char *dollar = value.data; dollar != end; dollar++) {
    const auto rest = static_cast<std::size_t>(end - dollar) - 1;
    const std::size_t brace = rest != 0 && dollar[1] == '{' ? 1 : 0;
    if (*dollar == '$' && rest >= brace + name.size() &&
        ngx_strncasecmp(dollar + 1 + brace, to_ngx_str(name).data, name.size()) == 0 &&
        (rest == brace + name.size() || !is_part_of_name(dollar[1 + brace + name.size()]))) {
      return true;
    }
  }
  return false;
}

bool reads_authorization(const ngx_array_t *conditions) noexcept {
  if (conditions == nullptr) {
    return false;
  }
  const auto *values = static_cast<const ngx_http_complex_value_t *>(conditions->elts);
  return std::any_of(values, values + conditions->nelts, [](const ngx_http_complex_value_t &value) {
    return names_variable(value.value, "http_authorization");
  });
}

/// `proxy_cache_bypass $http_authorization` and its kin are written for the cache of an API, and this location may
/// inherit them. Here $http_authorization is the gateway's own, which is always set: each request would pass the cache
/// by.
void warn_of_conditions(const ngx_conf_t *cf, const phantom_token_block_t &block,
                        const ngx_http_upstream_conf_t &upstream) noexcept {
  if (block.location->receives_credentials == 0) {
    return;
  }
  if (reads_authorization(upstream.cache_bypass)) {
    warn(cf, block,
         "and passes its cache by each time, since \"proxy_cache_bypass\" reads $http_authorization, which holds the "
         "gateway's own credentials here: add \"proxy_cache_bypass 0;\"");
  }
  if (reads_authorization(upstream.no_cache)) {
    warn(cf, block,
         "and keeps nothing in its cache, since \"proxy_no_cache\" reads $http_authorization, which holds the "
         "gateway's own credentials here: add \"proxy_no_cache 0;\"");
  }
}
#endif

void warn_of_mistakes(const ngx_conf_t *cf, const phantom_token_block_t &block,
                      const ngx_http_upstream_conf_t &upstream) noexcept {
#if (NGX_HTTP_CACHE)
  if (has_cache(&upstream) && block.location->receives_tokens != 0 && (upstream.cache_methods & NGX_HTTP_POST) == 0) {
    warn(cf, block, "by POST, which its cache leaves out: add \"proxy_cache_methods POST;\"");
  }
  if (has_cache(&upstream)) {
    warn_of_conditions(cf, block, upstream);
  }
#endif
#if (NGX_HTTP_SSL)
  // With variables in proxy_pass, nginx prepares for TLS whatever they give.
  if (upstream.upstream != nullptr && passes_to_https(upstream) && upstream.ssl_verify != 1) {
    warn(cf, block,
         "by TLS without verifying its certificate: add \"proxy_ssl_verify on;\" and "
         "\"proxy_ssl_trusted_certificate\"");
  }
#endif
}

ngx_int_t check_cache_zone(ngx_conf_t *cf, const phantom_token_main_t &main, phantom_token_block_t &block,
                           bool keys_may_be_good) noexcept {
  const ngx_shm_zone_t *zone = cache_zone(block.upstream);
  if (zone == nullptr || !is_shared(main, block, zone)) {
    return NGX_OK;
  }
  block.location->shares_cache_zone = 1;
  if (block.location->receives_tokens == 0 || keys_may_be_good) {
    return NGX_OK;
  }
  const ngx_str_t name = display_name(*block.core);
  ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                "the cache zone \"%V\" of location \"%V\", which reaches the authorization server, is used by another "
                "location too, so that answers of two authorization servers could mix: add \"proxy_cache_key "
                "$phantom_token_key;\" to the location, or give it a zone of its own; the endpoint is in %V:%ui",
                &zone->shm.name, &name, &block.location->endpoint_at.file, block.location->endpoint_at.line);
  return NGX_ERROR;
}

}  // namespace

ngx_int_t check_as_locations(ngx_conf_t *cf, phantom_token_main_t &main) noexcept {
  const bool keys_may_be_good = find_variable_index(cf, "phantom_token_key") != NGX_ERROR;
  for (phantom_token_block_t &block : blocks_of(main)) {
    block.upstream = upstream_of(cf, *block.core, block.configurations);
  }
  for (phantom_token_block_t &block : blocks_of(main)) {
    if (block.upstream != nullptr && block.location->is_endpoint_location != 0) {
      warn_of_mistakes(cf, block, *block.upstream);
    }
    if (check_cache_zone(cf, main, block, keys_may_be_good) != NGX_OK) {
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

}  // namespace gateway
