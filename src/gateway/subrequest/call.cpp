#include "call.h"

#include <iterator>
#include <memory>

#include "../../jose/writer.h"
#include "../../nginx/fake_connection.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../nginx/variable_origins.h"
#include "../../oauth/form.h"
#include "../configuration/endpoint.h"
#include "../configuration/module_configuration.h"
#include "../configuration/policy.h"
#include "../configuration/pool_memory.h"
#include "../configuration/server_identity.h"
#include "../configuration/variable_indices.h"
#include "capture.h"
#include "response_timeout.h"
#include "subrequest_headers.h"

namespace gateway {
namespace {

/// Everything that the subrequest needs of its own, made before it exists: a failure afterwards would leave it alive.
struct Preparation {
  ngx_http_post_subrequest_t *post_subrequest = nullptr;
  ngx_http_request_body_t *request_body = nullptr;
  ngx_http_variable_value_t *variables = nullptr;
  ngx_connection_t *connection = nullptr;
};

bool build_request_body(ngx_pool_t *pool, const TokenRequestTemplate &question, std::string_view token,
                        std::string_view &body) noexcept {
  PoolMemory memory(pool);
  return jose::write_text(
      memory,
      [&](jose::Writer &writer) {
        writer.put(question.body_prefix);
        oauth::put_form_encoded(writer, token);
        writer.put(question.body_suffix);
      },
      body);
}

ngx_http_request_body_t *wrap_request_body(ngx_pool_t *pool, std::string_view body) noexcept {
  auto *request_body = static_cast<ngx_http_request_body_t *>(ngx_pcalloc(pool, sizeof(ngx_http_request_body_t)));
  auto *buffer = static_cast<ngx_buf_t *>(ngx_calloc_buf(pool));
  ngx_chain_t *link = ngx_alloc_chain_link(pool);
  if (request_body == nullptr || buffer == nullptr || link == nullptr) {
    return nullptr;
  }
  if (body.empty()) {
    // Still one of its own, or nginx would send the client's body, or close its file.
    return request_body;
  }
  const ngx_str_t bytes = to_ngx_str(body);
  buffer->pos = buffer->start = bytes.data;
  buffer->last = buffer->end = bytes.data + bytes.len;
  buffer->memory = 1;
  buffer->last_buf = 1;
  link->buf = buffer;
  link->next = nullptr;
  request_body->bufs = link;
  request_body->buf = buffer;
  return request_body;
}

bool prepare(ngx_http_request_t *r, Call *call, const OwnHeaders &headers, Preparation &preparation) noexcept {
  preparation.post_subrequest = make<ngx_http_post_subrequest_t>(r->pool);
  preparation.request_body = wrap_request_body(r->pool, call->request_body);
  preparation.variables = make_variables(r, variables_of(r).origins);
  preparation.connection = make_fake_connection(r);
  call->headers = make_subrequest_headers(r, headers);
  if (preparation.post_subrequest == nullptr || preparation.request_body == nullptr ||
      preparation.variables == nullptr || preparation.connection == nullptr || call->headers == nullptr ||
      !prepare_timeout(r->pool, *call)) {
    return false;
  }
  preparation.post_subrequest->handler = finish_capture;
  preparation.post_subrequest->data = call;
  return true;
}

void apply(ngx_http_request_t *subrequest, const Call &call, const Preparation &preparation) noexcept {
  if (preparation.request_body->bufs != nullptr) {
    subrequest->method = NGX_HTTP_POST;
    subrequest->method_name = to_ngx_str("POST");
  }
  subrequest->request_body = preparation.request_body;
  lend_clients_headers(subrequest, *call.headers);
  subrequest->variables = preparation.variables;
  // A cached response comes as a file; with this the copy filter reads it into memory.
  subrequest->filter_need_in_memory = 1;
  attach(subrequest, preparation.connection);
}

Call *start(ngx_http_request_t *r, Call *call, const OwnHeaders &headers, ngx_msec_t timeout) noexcept {
  Preparation preparation;
  if (!prepare(r, call, headers, preparation)) {
    return nullptr;
  }
  const Endpoint parts = split_endpoint(call->question.endpoint);
  ngx_str_t path = to_ngx_str(parts.path);
  ngx_str_t arguments = to_ngx_str(parts.arguments);
  const unsigned references = r->main->count;
  // What it answers is no part of the client's response, so it has no place in the order of the parts: not below a
  // subrequest of lua either, which has none itself. It is made as one in the background, and runs as any other.
  if (ngx_http_subrequest(r, &path, &arguments, &call->subrequest, preparation.post_subrequest,
                          NGX_HTTP_SUBREQUEST_WAITED | NGX_HTTP_SUBREQUEST_BACKGROUND) != NGX_OK) {
    r->main->count = references;  // it may have been counted, and will never run
    return nullptr;
  }
  call->subrequest->background = 0;
  apply(call->subrequest, *call, preparation);
  call->started = ngx_current_msec;
  start_timeout(*call, timeout);
  return call;
}

Call *make_call(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question) noexcept {
  auto *call = make<Call>(r->pool);
  if (call != nullptr) {
    call->question = question;
    call->largest_response = location.max_response_size;
  }
  return call;
}

ServerIdentity server_of(const ngx_http_request_t *r) noexcept {
  return server_identity(
      *static_cast<ngx_http_core_srv_conf_t *>(ngx_http_get_module_srv_conf(r, ngx_http_core_module)));
}

}  // namespace

Call *make_token_call(ngx_http_request_t *r, const phantom_token_location_t &location,
                      const AnswerKey &question) noexcept {
  Call *call = make_call(r, location, question);
  if (call != nullptr) {
    const phantom_token_policy_t &policy = *location.policy;
    call->is_about_token = true;
    call->is_exchange = policy.token_request.is_exchange;
    call->endpoint_varies = !is_constant(*policy.token_request.endpoint);
    call->jwt_members = policy.jwt_members;
    call->requested_token_type = policy.requested_token_type;
    call->inactive_statuses = &policy.inactive_statuses;
  }
  return call;
}

Call *start_token_call(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question,
                       const char *key) noexcept {
  const phantom_token_policy_t &policy = *location.policy;
  Call *call = make_token_call(r, location, question);
  if (call == nullptr || !build_request_body(r->pool, policy.token_request, question.token, call->request_body)) {
    return nullptr;
  }
  ngx_memcpy(call->key, key, sizeof(call->key));
  call->request_has_secret = policy.token_request.body_has_secret;
  call->authorization = policy.token_request.authorization;
  call->may_be_kept = location.hot_cache != nullptr;
  return start(r, call, {policy.token_request.accept, policy.token_request.authorization, call->request_body},
               location.response_timeout);
}

bool make_keys_question(ngx_http_request_t *r, std::string_view endpoint, AnswerKey &question) noexcept {
  const ServerIdentity server = server_of(r);
  const std::string_view parts[] = {"jwks", endpoint, server.name, server.ordinal};
  auto *key = static_cast<char *>(ngx_pnalloc(r->pool, jose::hex_digest_size));
  if (key == nullptr || !jose::hex_digest({parts, std::size(parts)}, key)) {
    return false;
  }
  question = {};
  question.fingerprint = {key, jose::hex_digest_size};
  question.endpoint = endpoint;
  return true;
}

Call *make_keys_call(ngx_http_request_t *r, const phantom_token_location_t &location,
                     const AnswerKey &question) noexcept {
  Call *call = make_call(r, location, question);
  if (call != nullptr) {
    question.fingerprint.copy(call->key, sizeof(call->key));
    call->endpoint_varies = !is_constant(*location.jwks_endpoint);
  }
  return call;
}

Call *start_keys_call(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question,
                      bool refresh) noexcept {
  Call *call = make_keys_call(r, location, question);
  if (call == nullptr) {
    return nullptr;
  }
  call->refreshes_keys = refresh;
  return start(r, call, {"application/json", {}, {}}, location.response_timeout);
}

Call *call_of(const ngx_http_request_t *r) noexcept {
  return r->post_subrequest != nullptr && r->post_subrequest->handler == finish_capture
             ? static_cast<Call *>(r->post_subrequest->data)
             : nullptr;
}

Call *call_above(const ngx_http_request_t *r) noexcept {
  for (; r != nullptr; r = r->parent) {
    if (Call *call = call_of(r)) {
      return call;
    }
  }
  return nullptr;
}

bool arrive(ngx_http_request_t *subrequest, Call &call) noexcept {
  call.arrived = true;
  // nginx clears the modules' contexts at every redirect: that is how is_redirected() knows.
  ngx_http_set_ctx(subrequest, &call, ngx_http_phantom_token_module);
  forget_evaluated_variables(subrequest, variables_of(subrequest).origins);
  return take_own_headers(subrequest, *call.headers);
}

bool is_redirected(const ngx_http_request_t *subrequest, const Call &call) noexcept {
  return call.arrived && ngx_http_get_module_ctx(subrequest, ngx_http_phantom_token_module) != &call;
}

bool token_key(const ngx_http_request_t *r, const jose::Strings &location_parts, std::string_view endpoint,
               std::string_view token, char *hex) noexcept {
  const ServerIdentity server = server_of(r);
  const std::string_view request_parts[] = {token, endpoint, server.name, server.ordinal};
  const std::size_t count = location_parts.count + std::size(request_parts);
  auto *parts = static_cast<std::string_view *>(ngx_palloc(r->pool, count * sizeof(std::string_view)));
  if (parts == nullptr) {
    return false;
  }
  std::string_view *end = std::uninitialized_copy(location_parts.begin(), location_parts.end(), parts);
  std::uninitialized_copy(std::begin(request_parts), std::end(request_parts), end);
  return jose::hex_digest({parts, count}, hex);
}

bool is_stale(const Call &call) noexcept {
  return call.cache_status == NGX_HTTP_CACHE_STALE || call.cache_status == NGX_HTTP_CACHE_UPDATING;
}

oauth::Verdict find_obstacle(const Call &call, bool accept_stale) noexcept {
  if (call.misconfiguration != nullptr) {
    return {oauth::Outcome::misconfigured, call.misconfiguration};
  }
  if (call.redirected) {
    return {oauth::Outcome::as_bad_response, "its location was left by a redirect"};
  }
  if (call.out_of_memory) {
    return {oauth::Outcome::internal_error, "no memory for the response of the authorization server"};
  }
  // RFC 5861 section 3: with stale-while-revalidate the authorization server itself allows it.
  if (is_stale(call) && !call.is_being_renewed && !accept_stale) {
    return {oauth::Outcome::stale, "the cached response is stale; \"phantom_token_stale on\" would accept it"};
  }
  return {oauth::Outcome::active};
}

}  // namespace gateway
