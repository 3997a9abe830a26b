#include "as_request.h"

#include <iterator>

#include "../../jose/random_id.h"
#include "../../jose/writer.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/pool.h"
#include "../../oauth/client_assertion.h"
#include "../../oauth/form.h"
#include "../configuration/endpoint.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "../configuration/server_identity.h"

namespace gateway {
namespace {

bool build_body(ngx_pool_t *pool, const TokenRequestTemplate &location, std::string_view token,
                std::string_view client_assertion, std::string_view &body) noexcept {
  PoolMemory memory(pool);
  return jose::write_text(
      memory,
      [&](jose::Writer &writer) {
        writer.put(location.body_prefix);
        oauth::put_form_encoded(writer, token);
        writer.put(location.body_suffix);
        writer.put(client_assertion);
      },
      body);
}

/// @param assertion set, in the pool, where the result is true; empty where the location has none.
bool make_client_assertion(ngx_pool_t *pool, const TokenRequestTemplate &location,
                           std::string_view &assertion) noexcept {
  assertion = {};
  if (!location.has_client_assertion) {
    return true;
  }
  char jti[jose::random_id_size];
  PoolMemory memory(pool);
  return jose::make_random_id(jti) &&
         oauth::make_client_assertion(location.client_assertion, ngx_time(), {jti, sizeof(jti)}, memory, assertion);
}

AsRequest *make_as_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                           const AnswerKey &key) noexcept {
  auto *request = make<AsRequest>(r->pool);
  if (request != nullptr) {
    request->asked.key = key;
    request->asked.max_response_size = location.max_response_size;
  }
  return request;
}

}  // namespace

AsRequest *make_token_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                              const AnswerKey &key) noexcept {
  AsRequest *request = make_as_request(r, location, key);
  if (request == nullptr) {
    return nullptr;
  }
  const phantom_token_policy_t &policy = *location.policy;
  AsRequestTemplate &asked = request->asked;
  asked.kind = policy.token_request.is_exchange ? AsRequestKind::token_exchange : AsRequestKind::introspection;
  asked.accept = policy.token_request.accept;
  asked.authorization = policy.token_request.authorization;
  asked.body_has_secret = policy.token_request.body_has_secret;
  asked.endpoint_has_variables = !is_constant(*policy.token_request.endpoint);
  asked.feeds_hot_cache = location.hot_cache != nullptr;
  asked.jwt_members = {policy.jwt_members, location.forward == PHANTOM_TOKEN_FORWARD_JWT};
  asked.requested_token_type = policy.requested_token_type;
  asked.inactive_statuses = &policy.inactive_statuses;
  return request;
}

oauth::Verdict prepare_token_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                                     AsRequest &request) noexcept {
  AsRequestTemplate &asked = request.asked;
  const TokenRequestTemplate &token_request = location.policy->token_request;
  // nginx would turn a variable that fails into an empty string, so the key is ready before anybody reads it.
  if (!make_cache_key(r, token_request.cache_key_begin, asked.key.endpoint, asked.key.token, asked.cache_key)) {
    return {oauth::Outcome::internal_error, "OpenSSL failed to compute a cache key"};
  }
  if (!make_client_assertion(r->pool, token_request, asked.client_assertion)) {
    return {oauth::Outcome::internal_error, "no client assertion can be signed: no memory, or OpenSSL failed"};
  }
  if (!build_body(r->pool, token_request, asked.key.token, asked.client_assertion, asked.body)) {
    return {oauth::Outcome::internal_error, "no memory, or no more subrequests"};
  }
  return {oauth::Outcome::active};
}

bool make_jwk_set_key(ngx_http_request_t *r, std::string_view endpoint, AnswerKey &key) noexcept {
  const ServerIdentity server = server_identity(core_server_of(r));
  const std::string_view parts[] = {"jwks", endpoint, server.name, server.ordinal};
  auto *digest = static_cast<char *>(ngx_pnalloc(r->pool, jose::hex_digest_size));
  if (digest == nullptr || !jose::hex_digest({parts, std::size(parts)}, digest)) {
    return false;
  }
  key = {};
  key.fingerprint = {digest, jose::hex_digest_size};
  key.endpoint = endpoint;
  return true;
}

AsRequest *make_jwk_set_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                                const AnswerKey &key) noexcept {
  AsRequest *request = make_as_request(r, location, key);
  if (request != nullptr) {
    request->asked.kind = AsRequestKind::jwk_set;
    request->asked.accept = "application/json";
    request->asked.endpoint_has_variables = !is_constant(*location.jwks_endpoint);
    key.fingerprint.copy(request->asked.cache_key, sizeof(request->asked.cache_key));
  }
  return request;
}

ngx_int_t finish_as_request(ngx_http_request_t *subrequest, void *data, ngx_int_t rc) noexcept {
  auto &request = *static_cast<AsRequest *>(data);
  return request.running.finish(subrequest, request, rc);
}

AsRequest *as_request_of(const ngx_http_request_t *subrequest) noexcept {
  return subrequest->post_subrequest != nullptr && subrequest->post_subrequest->handler == finish_as_request
             ? static_cast<AsRequest *>(subrequest->post_subrequest->data)
             : nullptr;
}

AsRequest *as_request_above(const ngx_http_request_t *r) noexcept {
  for (; r != nullptr; r = r->parent) {
    if (AsRequest *request = as_request_of(r)) {
      return request;
    }
  }
  return nullptr;
}

bool is_redirected(const ngx_http_request_t *subrequest, const AsRequest &request) noexcept {
  return request.running.progress == Progress::arrived &&
         ngx_http_get_module_ctx(subrequest, ngx_http_phantom_token_module) != &request;
}

bool make_cache_key(const ngx_http_request_t *r, std::string_view begin, std::string_view endpoint,
                    std::string_view token, char *hex) noexcept {
  const ServerIdentity server = server_identity(core_server_of(r));
  const std::string_view parts[] = {token, endpoint, server.name, server.ordinal};
  return jose::hex_digest(begin, {parts, std::size(parts)}, hex);
}

oauth::Verdict check_capture(const CapturedResponse &captured) noexcept {
  if (captured.misconfiguration != nullptr) {
    return {oauth::Outcome::misconfigured, captured.misconfiguration};
  }
  switch (captured.fault) {
    case CaptureFault::redirected:
      return {oauth::Outcome::as_bad_response, "its location was left by a redirect"};
    case CaptureFault::no_memory:
      return {oauth::Outcome::internal_error, "no memory for the response of the authorization server"};
    case CaptureFault::none:
    case CaptureFault::given_up:
    case CaptureFault::timed_out:
      break;
  }
  return {oauth::Outcome::active};
}

}  // namespace gateway
