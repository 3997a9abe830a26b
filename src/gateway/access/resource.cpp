// Where a request's challenge sends the client for metadata of the API (RFC 9728 section 5.1).

#include "resource.h"

#include "../../nginx/complex_value.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../oauth/resource_metadata.h"
#include "../configuration/pool_memory.h"

namespace gateway {
namespace {

/// RFC 3986 section 2: what may stand in a URI. Anything else could break out of the challenge, or is a mistake.
bool is_uri(std::string_view uri) noexcept {
  constexpr std::string_view punctuation = "-._~:/?#[]@!$&'()*+,;=%";
  for (const char c : uri) {
    const bool is_alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_alphanumeric && punctuation.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

/// @param result set, to an empty view where there is no such directive, where the result is true.
bool evaluate(ngx_http_request_t *r, ngx_http_complex_value_t *value, std::string_view &result) noexcept {
  ngx_str_t text = ngx_null_string;
  if (value != nullptr && !nginx::evaluate(r, *value, text)) {
    return false;
  }
  result = to_view(text);
  return true;
}

bool derive_metadata_url(ngx_http_request_t *r, const phantom_token_location_t &location,
                         std::string_view &url) noexcept {
  std::string_view resource;
  if (!find_resource(r, location, resource)) {
    return false;
  }
  url = {};
  oauth::HttpUrl parts;
  if (!resource.empty() && !oauth::parse_http_url(resource, parts)) {
    const ngx_str_t name = display_name(core_location_of(r));
    ngx_log_error(
        NGX_LOG_ERR, r->connection->log, 0,
        "phantom token: \"phantom_token_resource\" evaluates to what is no absolute http or https URL, so the "
        "challenge has no resource_metadata, location \"%V\"",
        &name);
    return true;
  }
  PoolMemory memory(r->pool);
  return resource.empty() ||
         jose::write_text(
             memory, [&parts](jose::Writer &writer) { oauth::put_resource_metadata_url(writer, parts); }, url);
}

}  // namespace

bool find_metadata_url(ngx_http_request_t *r, const phantom_token_location_t &location,
                       std::string_view &url) noexcept {
  if (!evaluate(r, location.resource_metadata, url)) {
    return false;
  }
  if (url.empty()) {
    return derive_metadata_url(r, location, url);
  }
  if (!is_uri(url)) {
    url = {};
    ngx_log_error(
        NGX_LOG_ERR, r->connection->log, 0,
        "phantom token: \"phantom_token_resource_metadata\" evaluates to what is no URI, so the challenge has "
        "none");
  }
  return true;
}

bool find_resource(ngx_http_request_t *r, const phantom_token_location_t &location,
                   std::string_view &resource) noexcept {
  return evaluate(r, location.resource, resource);
}

}  // namespace gateway
