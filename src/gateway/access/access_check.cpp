#include "access_check.h"

#include <algorithm>
#include <string_view>

#include "../../nginx/header_list.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../oauth/bearer.h"
#include "../../oauth/decision.h"
#include "../../oauth/exchange.h"
#include "../../oauth/token_information_codec.h"
#include "../cache/hot_cache.h"
#include "../cache/parsed_answers.h"
#include "../configuration/endpoint.h"
#include "../configuration/module_configuration.h"
#include "../configuration/policy.h"
#include "../configuration/pool_memory.h"
#include "../observation/metrics.h"
#include "../subrequest/coalescing.h"
#include "../subrequest/endpoint_uri.h"
#include "../subrequest/key_store.h"
#include "../subrequest/request_state.h"
#include "../subrequest/waiting.h"
#include "authorization.h"
#include "preflight.h"
#include "refusal.h"

namespace gateway {
namespace {

using oauth::Outcome;
using oauth::Verdict;

ngx_int_t refuse_for_memory(ngx_http_request_t *r, RequestState &state,
                            const phantom_token_location_t &location) noexcept {
  return refuse(r, state, location, {Outcome::internal_error, "no memory, or no more subrequests"});
}

constexpr const char *no_uri =
    "its variables give no URI for this request: add a \"default\" to the map, with the location for all that nothing "
    "else fits";

/// A subrequest cannot go to a named location, nor to none: nginx expects no URI without a path.
bool is_uri(const ngx_str_t &endpoint) noexcept {
  return endpoint.len != 0 && endpoint.data[0] != '@' && endpoint.data[0] != '?';
}

/// A background subrequest or a post_action would never be called again.
bool is_detached(const ngx_http_request_t *r) noexcept {
  return r->background != 0 || r->post_action != 0;
}

/// Within a subrequest that is kept in memory, ngx_http_subrequest() makes none.
bool can_ask(const ngx_http_request_t *r) noexcept {
  return !is_detached(r) && r->subrequest_in_memory == 0;
}

/// @return false where there is no memory; then the call is as before.
bool adopt(ngx_pool_t *pool, Call &call, const AnswerCopy &copy) noexcept {
  PoolMemory memory(pool);
  if (!oauth::unpack(copy.packed, copy.jwt, memory, call.introspection)) {
    return false;
  }
  call.bearer_header = copy.authorization;
  call.interpreted = true;
  return true;
}

oauth::TokenInformation introspection_of(const Call &call, jose::Memory &memory) noexcept {
  if (oauth::is_inactive_by_status(call.response, *call.inactive_statuses)) {
    return oauth::inactive_by_status(call.response, memory);
  }
  return call.is_exchange ? oauth::read_exchange(call.response, call.requested_token_type, memory)
                          : oauth::read_introspection(call.response, call.jwt_members, memory);
}

void read_response(const ngx_http_request_t *r, Call &call) noexcept {
  PoolMemory memory(r->pool);
  ParsedAnswer *answer = reserve_answer(call, r->connection->log);
  call.introspection = introspection_of(call, memory);
  if (memory.ran_out()) {
    call.introspection =
        oauth::refused_response(Outcome::internal_error, "no memory to read the response of the authorization server");
  }
  call.interpreted = true;
  if (answer != nullptr && call.introspection.outcome == Outcome::active) {
    remember_answer(*answer, call, r->pool);
  }
}

const oauth::TokenInformation &interpret(const ngx_http_request_t *r, Call &call) noexcept {
  AnswerCopy copy;
  const bool is_known = call.interpreted || (recall_answer(call, r->pool, copy) && adopt(r->pool, call, copy));
  if (!is_known) {
    read_response(r, call);
  }
  return call.introspection;
}

Verdict judge(const ngx_http_request_t *r, const RequestState &state,
              const phantom_token_location_t &location) noexcept {
  if (state.client_jwt != nullptr) {
    const Verdict decision = oauth::decide(*state.client_jwt, location.policy->requirements, ngx_time());
    // What would be the authorization server's mistake is here the client's.
    return decision.outcome == Outcome::as_bad_response ? Verdict{Outcome::malformed, decision.problem} : decision;
  }
  const Verdict obstacle = find_obstacle(*state.call, location.stale != 0);
  if (obstacle.outcome != Outcome::active) {
    count_call(r, *state.call, obstacle.outcome);
    return {obstacle.outcome, obstacle.problem};
  }
  const oauth::TokenInformation &introspection = interpret(r, *state.call);
  count_call(r, *state.call, introspection.outcome);
  return oauth::decide(introspection, location.policy->requirements, ngx_time());
}

std::string_view authorization(ngx_http_request_t *r, const RequestState &state, const jose::Jwt &jwt) noexcept {
  const bool is_made = state.client_jwt == nullptr && !state.call->bearer_header.empty();
  return is_made ? state.call->bearer_header : make_authorization(r, jwt.compact);
}

/// Nothing but what has been allowed is kept, so a copy is never of a refused answer.
void keep(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location) noexcept {
  if (location.hot_cache == nullptr || state.client_jwt != nullptr || state.call->cached_until == 0) {
    return;
  }
  keep_hot_copy(r, *location.hot_cache, state.call->question, state.call->introspection, state.call->cached_until);
  state.call->cached_until = 0;
}

ngx_int_t allow(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                const jose::Jwt &jwt) noexcept {
  const std::string_view value = authorization(r, state, jwt);
  if (value.empty() || !set_authorization(r, value)) {
    return refuse_for_memory(r, state, location);
  }
  keep(r, state, location);
  const bool unverified = state.client_jwt != nullptr && location.inbound_jwt == PHANTOM_TOKEN_INBOUND_PASS;
  state.judged = true;
  state.outcome = unverified ? Outcome::passed_jwt : Outcome::active;
  state.allowed_by = &location;
  return NGX_OK;
}

/// @return how long the request may yet wait for answers to others.
ngx_msec_t patience_for_answer(const RequestState &state, const phantom_token_location_t &location) noexcept {
  const ngx_msec_t longest = std::min(longest_wait_for_others, location.response_timeout);
  return longest - std::min(longest, state.waited_for_others);
}

/// One fetch of the JWK Set serves all who wait, as long as it takes.
ngx_msec_t patience_for_keys(const RequestState &state, const phantom_token_location_t &location) noexcept {
  return location.response_timeout - std::min(location.response_timeout, state.waited_for_others);
}

ngx_int_t fetch_keys(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     KeyStoreEntry &entry, const AnswerKey &question, bool refresh) noexcept {
  // One for the set, one that another request has begun, and one for an unknown key: an endpoint whose variables change
  // with each reading would go on for ever.
  constexpr std::size_t most_calls = 3;
  if (++state.keys_calls > most_calls) {
    return refuse(r, state, location, {Outcome::jwks_unavailable, "the JWK Set cannot be asked for here"});
  }
  const ngx_msec_t patience = patience_for_keys(state, location);
  state.keys_call = r == r->main && patience != 0 ? follow(r, location, question, patience) : nullptr;
  if (state.keys_call != nullptr) {
    return wait(r, state, location, state.keys_call);
  }
  state.keys_call = start_keys_call(r, location, question, refresh);
  if (state.keys_call == nullptr) {
    return refuse_for_memory(r, state, location);
  }
  note_call(entry);
  if (!is_under_way(question)) {
    lead(r, *state.keys_call);
  }
  return wait(r, state, location, state.keys_call);
}

/// For a key that is not in the set.
ngx_int_t refresh_keys(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                       KeyStoreEntry &entry, std::string_view endpoint) noexcept {
  AnswerKey question;
  return make_keys_question(r, endpoint, question) ? fetch_keys(r, state, location, entry, question, true)
                                                   : refuse_for_memory(r, state, location);
}

/// Asks for the set, or waits for it, where that is due. While one request asks, the others go on with the set that is
/// there; but where clients have taken calls with them, all wait, until one of them gets an answer.
/// @return NGX_OK where the request is to go on with the set that is there, if any; else what the handler is to return.
ngx_int_t await_keys(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     KeyStoreEntry &entry, std::string_view endpoint, time_t now) noexcept {
  if (state.keys_call != nullptr && state.keys_call->question.endpoint == endpoint) {
    const Call &call = *state.keys_call;
    state.keys_refreshed |= call.refreshes_keys;
    state.keys_call = nullptr;
    return call.misconfiguration == nullptr
               ? NGX_OK
               : refuse(r, state, location, {Outcome::misconfigured, call.misconfiguration});
  }
  if (!can_ask(r) || !is_fetch_due(entry, now)) {
    return NGX_OK;
  }
  AnswerKey question;
  if (!make_keys_question(r, endpoint, question)) {
    return refuse_for_memory(r, state, location);
  }
  const bool is_needed = usable_keys(entry, now) == nullptr || has_lost_calls(entry) || !is_under_way(question);
  return is_needed ? fetch_keys(r, state, location, entry, question, false) : NGX_OK;
}

ngx_int_t refuse_signature(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                           const char *problem) noexcept {
  const Outcome outcome = state.client_jwt != nullptr ? Outcome::signature_of_client : Outcome::signature_of_server;
  return refuse(r, state, location, {outcome, problem});
}

/// Why there is no JWK Set.
Verdict explain_lack(const ngx_http_request_t *r, const KeyStoreEntry &entry) noexcept {
  if (const char *misconfiguration = find_misconfiguration(entry)) {
    return {Outcome::misconfigured, misconfiguration};
  }
  return {Outcome::jwks_unavailable,
          can_ask(r) ? "there is no JWK Set to verify signatures with" : "the JWK Set cannot be asked for here"};
}

/// The last check: every other one costs less.
ngx_int_t verify(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                 const jose::Jwt &jwt) noexcept {
  ngx_str_t endpoint;
  if (!evaluate_endpoint(r, location.jwks_endpoint, endpoint)) {
    return refuse_for_memory(r, state, location);
  }
  state.endpoint_directive = "phantom_token_jwks_endpoint";
  if (!is_uri(endpoint)) {
    return refuse(r, state, location, {Outcome::misconfigured, no_uri});
  }
  KeyStoreEntry *entry = find_keys(r, to_view(endpoint));
  if (entry == nullptr) {
    return refuse_for_memory(r, state, location);
  }

  const time_t now = key_store_time();
  const ngx_int_t rc = await_keys(r, state, location, *entry, to_view(endpoint), now);
  if (rc != NGX_OK) {
    return rc;
  }
  jose::KeySet *keys = usable_keys(*entry, now);
  if (keys == nullptr) {
    return refuse(r, state, location, explain_lack(r, *entry));
  }
  if (jose::has_verified(*keys, jwt.compact)) {
    return allow(r, state, location, jwt);
  }

  PoolMemory memory(r->pool);
  if (state.client_jwt == nullptr && !oauth::read_all(state.call->introspection, memory)) {
    return refuse_for_memory(r, state, location);
  }
  const jose::VerificationResult result = jose::verify_signature(*keys, jwt);
  if (result.verification == jose::Verification::unknown_key && !state.keys_refreshed && can_ask(r) &&
      is_refresh_due(*entry, now)) {
    return refresh_keys(r, state, location, *entry, to_view(endpoint));
  }
  if (result.verification == jose::Verification::no_memory) {
    return refuse(r, state, location, {Outcome::internal_error, result.problem});
  }
  if (result.verification != jose::Verification::good) {
    return refuse_signature(r, state, location, result.problem);
  }
  return allow(r, state, location, jwt);
}

bool needs_verification(const RequestState &state, const phantom_token_location_t &location) noexcept {
  return state.client_jwt != nullptr ? location.inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY : location.verify_jwt != 0;
}

/// All that can be known without asking is here: the call's response, or the client's own JWT.
ngx_int_t conclude(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  const Verdict decision = judge(r, state, location);
  if (decision.outcome != Outcome::active) {
    return refuse(r, state, location, decision);
  }
  const jose::Jwt &jwt = state.client_jwt != nullptr ? state.client_jwt->jwt : state.call->introspection.jwt;
  return needs_verification(state, location) ? verify(r, state, location, jwt) : allow(r, state, location, jwt);
}

/// @return a call of this request or of one of its parents that asked the same.
Call *find_answer(const ngx_http_request_t *r, const AnswerKey &question) noexcept {
  for (; r != nullptr; r = r->parent) {
    const RequestState *state = find_state(r);
    if (state != nullptr && state->call != nullptr && state->call->done && state->call->question == question) {
      return state->call;
    }
  }
  return nullptr;
}

/// @return a call that the hot cache has answered, or nullptr where it has no answer or there is no memory.
Call *find_hot_answer(ngx_http_request_t *r, const phantom_token_location_t &location,
                      const AnswerKey &question) noexcept {
  AnswerCopy copy;
  if (location.hot_cache == nullptr || !find_hot_copy(*location.hot_cache, question, r->pool, copy)) {
    return nullptr;
  }
  Call *call = make_token_call(r, location, question);
  if (call == nullptr || !adopt(r->pool, *call, copy)) {
    return nullptr;
  }
  call->is_hot = true;
  call->done = true;
  return call;
}

/// Asks the authorization server, or waits with others that do.
ngx_int_t call_server(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                      const AnswerKey &question) noexcept {
  char key[jose::hex_digest_size];
  const bool may_share = location.hot_cache != nullptr && r == r->main && !state.asks_alone;
  const ngx_msec_t patience = patience_for_answer(state, location);
  state.call = may_share && patience != 0 ? follow(r, location, question, patience) : nullptr;
  if (state.call != nullptr) {
    return wait(r, state, location, state.call);
  }
  // nginx would turn a variable that fails into an empty string, so the key is ready before anybody asks for it.
  if (!token_key(r, location.policy->token_request.key_parts, question.endpoint, question.token, key)) {
    return refuse(r, state, location, {Outcome::internal_error, "OpenSSL failed to compute a cache key"});
  }
  state.call = start_token_call(r, location, question, key);
  if (state.call == nullptr) {
    return refuse_for_memory(r, state, location);
  }
  if (may_share) {
    lead(r, *state.call);
  }
  return wait(r, state, location, state.call);
}

ngx_int_t ask(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
              std::string_view token) noexcept {
  ngx_str_t endpoint;
  state.endpoint_directive = location.policy->token_request.is_exchange ? "phantom_token_exchange_endpoint"
                                                                        : "phantom_token_introspection_endpoint";
  if (!evaluate_endpoint(r, location.policy->token_request.endpoint, endpoint)) {
    return refuse_for_memory(r, state, location);
  }
  if (!is_uri(endpoint)) {
    return refuse(r, state, location, {Outcome::misconfigured, no_uri});
  }
  const AnswerKey question = make_answer_key(location.policy->token_request, to_view(endpoint), token);
  Call *answer = find_answer(r, question);
  if (answer == nullptr && !is_detached(r)) {
    answer = find_hot_answer(r, location, question);
  }
  state.call = answer;
  if (answer != nullptr) {
    return conclude(r, state, location);
  }
  if (!can_ask(r)) {
    return refuse(r, state, location,
                  {Outcome::misconfigured,
                   "a mirror, a post_action, an SSI include with \"set\" and a subrequest of njs can only use the "
                   "answer that the main request got from the same endpoint"});
  }
  return call_server(r, state, location, question);
}

/// Looks whether the token is a JWT itself, where that makes a difference.
/// @return false where there is no memory.
bool read_client_jwt(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     std::string_view token) noexcept {
  state.client_jwt = nullptr;
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_INTROSPECT) {
    return true;
  }
  PoolMemory memory(r->pool);
  auto *introspection = memory.make<oauth::TokenInformation>();
  if (introspection == nullptr) {
    return false;
  }
  const char *problem = nullptr;
  if (jose::parse_jwt(token, memory, introspection->jwt, problem)) {
    introspection->outcome = Outcome::active;
    introspection->checked_claims = oauth::gather_checked_claims(*introspection->jwt.claims, nullptr, nullptr);
    state.client_jwt = introspection;
  }
  return !memory.ran_out();
}

ngx_int_t check_client_jwt(ngx_http_request_t *r, RequestState &state,
                           const phantom_token_location_t &location) noexcept {
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_REJECT) {
    return refuse(r, state, location, {Outcome::rejected_jwt, "JWTs are not accepted from clients"});
  }
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY && !jose::is_access_token_type(state.client_jwt->jwt)) {
    return refuse_signature(r, state, location, "the typ of the client's JWT is not that of an access token");
  }
  return conclude(r, state, location);
}

ngx_int_t check_token(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                      std::string_view token) noexcept {
  if (!read_client_jwt(r, state, location, token)) {
    return refuse_for_memory(r, state, location);
  }
  if (state.client_jwt != nullptr) {
    return check_client_jwt(r, state, location);
  }
  if (location.policy->token_request.endpoint == nullptr) {
    state.call = nullptr;
    return refuse(r, state, location, {Outcome::inactive, "an opaque token, and no endpoint to ask about it"});
  }
  return ask(r, state, location, token);
}

/// @return NGX_OK where it goes to the API, NGX_HTTP_NO_CONTENT where it is answered here, or a refusal's status.
ngx_int_t pass_preflight(ngx_http_request_t *r, RequestState &state,
                         const phantom_token_location_t &location) noexcept {
  state.judged = true;
  state.call = nullptr;
  state.outcome = Outcome::preflight;
  if (location.preflight == PHANTOM_TOKEN_PREFLIGHT_ANSWER) {
    withdraw_refusal(r, state);  // under `satisfy any`, auth_basic has left its challenge
    return NGX_HTTP_NO_CONTENT;
  }
  state.allowed_by = &location;
  return remove_authorization(r) ? NGX_OK : refuse_for_memory(r, state, location);
}

/// Without a token, under `phantom_token optional`.
/// @return NGX_DECLINED: nobody has been authenticated, so that under `satisfy any` it grants nothing that another
/// module
///   refuses; or a refusal's status.
ngx_int_t pass_anonymous(ngx_http_request_t *r, RequestState &state,
                         const phantom_token_location_t &location) noexcept {
  state.judged = true;
  state.call = nullptr;
  state.outcome = Outcome::anonymous;
  state.allowed_by = &location;
  return remove_authorization(r) ? NGX_DECLINED : refuse_for_memory(r, state, location);
}

/// A run of the handler that begins anew: the request's first, or one in another location after a redirect.
ngx_int_t begin(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  state.judged = false;
  state.waiting_for = nullptr;
  state.keys_refreshed = false;
  state.keys_calls = 0;
  if (has_several_authorizations(r->headers_in)) {
    return refuse(r, state, location, {Outcome::malformed, "more than one Authorization header"});
  }
  if (location.preflight != PHANTOM_TOKEN_PREFLIGHT_PROTECT && is_preflight(r)) {
    return pass_preflight(r, state, location);
  }
  if (location.policy->token_request.endpoint == nullptr && location.inbound_jwt != PHANTOM_TOKEN_INBOUND_VERIFY) {
    state.call = nullptr;
    state.endpoint_directive = "phantom_token_introspection_endpoint";
    return refuse(r, state, location, {Outcome::misconfigured, "\"phantom_token\" is on here without an endpoint"});
  }
  const oauth::BearerCredentials credentials =
      oauth::parse_bearer(to_view(state.authorization), location.policy->token_syntax);
  switch (credentials.kind) {
    case oauth::Credentials::missing:
      if (location.enabled == PHANTOM_TOKEN_OPTIONAL) {
        return pass_anonymous(r, state, location);
      }
      return refuse(r, state, location, {Outcome::missing, "no bearer token"});
    case oauth::Credentials::malformed:
      return refuse(r, state, location, {Outcome::malformed, "no well-formed bearer token"});
    case oauth::Credentials::bearer:
      break;
  }
  return check_token(r, state, location, credentials.token);
}

/// The call that this request has followed has ended without an answer for it.
ngx_int_t begin_anew(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  const Call &lost = *state.waiting_for;
  state.waiting_for = nullptr;
  state.waited_for_others += ngx_current_msec - lost.started;
  if (lost.is_about_token) {
    state.asks_alone = lost.must_ask_alone;
    return begin(r, state, location);
  }
  // The next call for the JWK Set is perhaps this request's own.
  state.keys_call = nullptr;
  state.keys_calls--;
  return conclude(r, state, location);
}

/// Not under `satisfy any`, where another module may have granted access before ours was asked. But modules that want
/// to be the last of the access phase (srcache, lua) move its handlers when they first run in a worker, and a request
/// that was waiting in ours then goes on behind it.
bool was_to_be_checked(const ngx_http_request_t *r, const RequestState &state) noexcept {
  const auto *core = static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
  return core->satisfy == NGX_HTTP_SATISFY_ALL || state.waiting_for != nullptr;
}

}  // namespace

ngx_int_t check_access(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  Call *call = state->waiting_for;
  if (call == nullptr || state->waiting_in != &location) {
    return begin(r, *state, location);
  }
  if (still_waits(*state)) {
    return wait(r, *state, location, call);
  }
  if (call->abandoned) {
    return begin_anew(r, *state, location);
  }
  state->waiting_for = nullptr;
  return conclude(r, *state, location);
}

ngx_int_t check_before_content(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (state->allowed_by != &location && was_to_be_checked(r, *state)) {
    const ngx_int_t rc = check_access(r, location);
    if (rc != NGX_OK && rc != NGX_DECLINED) {
      return rc;
    }
  }
  if (has_several_authorizations(r->headers_in)) {
    return NGX_HTTP_BAD_REQUEST;
  }
  // In an error page, the challenge belongs to the status that is being answered.
  if (r->err_status == 0) {
    withdraw_refusal(r, *state);
  }
  if (state->allowed_by == &location) {
    return NGX_DECLINED;
  }

  state->judged = true;
  state->outcome = Outcome::bypassed;
  const ngx_table_elt_t *header = r->headers_in.authorization;
  const bool may_hold_token = header != nullptr && oauth::may_hold_bearer_token(to_view(header->value));
  if (may_hold_token && !remove_authorization(r)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_DECLINED;
}

ngx_int_t refuse_other_answer(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = find_state(r);
  if (state == nullptr || !still_waits(*state) || r->err_status >= NGX_HTTP_BAD_REQUEST) {
    return NGX_DECLINED;
  }
  state->waiting_for = nullptr;
  return refuse(r, *state, location,
                {Outcome::internal_error,
                 "another module was about to answer while the authorization server was still being asked"});
}

}  // namespace gateway
