// phantom_token_resource_document: the content handler that tells clients of the API where to get a token for it (RFC
// 9728).

#include <string_view>

#include "../../nginx/core_configuration.h"
#include "../../nginx/response.h"
#include "../../oauth/resource_metadata.h"
#include "../configuration/policy.h"
#include "../configuration/pool_memory.h"
#include "../configuration/resource_directives.h"
#include "../subrequest/client_token.h"
#include "../subrequest/request_state.h"
#include "preflight.h"
#include "refusal.h"
#include "resource.h"

namespace gateway {
namespace {

constexpr std::string_view media_type = "application/json";

struct Header {
  std::string_view name;
  std::string_view value;
};

constexpr Header page_headers[] = {{"Cache-Control", "public, max-age=300"}, {"Access-Control-Allow-Origin", "*"}};

/// A client in a browser asks with headers of its own (`MCP-Protocol-Version`), and what it reads is public: so any
/// header is allowed. `*` stands for all but Authorization. The list that the request names is not repeated, so that
/// the response is the same for all, and nothing of it is the client's.
constexpr Header preflight_headers[] = {{"Access-Control-Allow-Origin", "*"},
                                        {"Access-Control-Allow-Methods", "GET, HEAD"},
                                        {"Access-Control-Allow-Headers", "*, Authorization"},
                                        {"Access-Control-Max-Age", "7200"}};

template <std::size_t Count>
bool push_headers(ngx_http_request_t *r, const Header (&headers)[Count]) noexcept {
  for (const Header &header : headers) {
    if (push_header(r, header.name, header.value) == nullptr) {
      return false;
    }
  }
  return true;
}

/// @return with what the module's other refusals have too: a word, a body, a line in the log.
ngx_int_t refuse_resource(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  state->endpoint_directive = "phantom_token_resource";
  return refuse(r, *state, location,
                {oauth::Outcome::misconfigured, "its variables give no absolute http or https URL for this request"});
}

oauth::ResourceMetadata describe(const phantom_token_location_t &location, std::string_view resource) noexcept {
  const phantom_token_policy_t &policy = *location.policy;
  oauth::ResourceMetadata metadata;
  metadata.resource = resource;
  metadata.authorization_servers =
      policy.authorization_servers.empty() ? policy.requirements.issuers : policy.authorization_servers;
  metadata.scopes = policy.requirements.scopes;
  metadata.accepts_header = accepts_header(location);
  if (accepts_dpop(location)) {
    metadata.dpop_algorithms = policy.dpop.algorithms;
    metadata.accepts_certificates = may_have_certificate(location);
    metadata.requires_dpop =
        location.confirmation == PHANTOM_TOKEN_CONFIRMATION_REQUIRE && !metadata.accepts_certificates;
  }
  return metadata;
}

ngx_int_t send_document(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  std::string_view resource;
  if (!find_resource(r, location, resource)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  oauth::HttpUrl url;
  if (!oauth::parse_http_url(resource, url)) {
    return refuse_resource(r, location);
  }
  const oauth::ResourceMetadata metadata = describe(location, resource);
  PoolMemory memory(r->pool);
  std::string_view page;
  if (!jose::write_text(
          memory, [&](jose::Writer &writer) { oauth::put_resource_metadata(writer, metadata); }, page) ||
      !push_headers(r, page_headers)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return send_page(r, {media_type, media_type.size()}, page);
}

ngx_int_t resource_document_handler(ngx_http_request_t *r) noexcept {
  if (is_preflight(r)) {
    return push_headers(r, preflight_headers) ? NGX_HTTP_NO_CONTENT : NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
    return push_header(r, "Allow", "GET, HEAD") != nullptr ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  const ngx_int_t rc = ngx_http_discard_request_body(r);
  // An `if` has this handler too, and not what the line of the directive says.
  return rc == NGX_OK ? send_document(r, *location_of(r).enclosing_location) : rc;
}

}  // namespace
}  // namespace gateway

extern "C" char *phantom_token_set_resource_document(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  ngx_http_core_loc_conf_t &core = nginx::core_location_of(cf);
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  if (core.handler == gateway::resource_document_handler) {
    return const_cast<char *>("is duplicate");
  }
  if (cf->args->nelts > 1) {
    location.authorization_servers = gateway::read_authorization_servers(cf, cmd);
    if (location.authorization_servers == nullptr) {
      return static_cast<char *>(NGX_CONF_ERROR);
    }
  }
  core.handler = gateway::resource_document_handler;
  location.publishes_metadata_at = {cf->conf_file->file.name, cf->conf_file->line};
  return NGX_CONF_OK;
}
