#include "token_answer.h"

#include <algorithm>

#include "../../nginx/strings.h"
#include "../../oauth/error_response.h"
#include "../../oauth/exchange.h"
#include "../../oauth/introspection.h"
#include "../../oauth/token_information_codec.h"
#include "../cache/hot_cache.h"
#include "../cache/parsed_answers.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "../observation/metrics.h"
#include "../subrequest/coalescing.h"
#include "../subrequest/endpoint_uri.h"
#include "../subrequest/subrequest.h"
#include "asking.h"

namespace gateway {
namespace {

using oauth::Outcome;

/// @return an answer by the same key that this request or one of its parents has, or nullptr.
AsRequest *find_known_answer(const ngx_http_request_t *r, const AnswerKey &key) noexcept {
  for (; r != nullptr; r = r->parent) {
    const RequestState *state = find_state(r);
    AsRequest *answer = state == nullptr ? nullptr : state->answer;
    if (answer != nullptr && answer->running.progress == Progress::done && answer->asked.key == key) {
      return answer;
    }
  }
  return nullptr;
}

/// @return false where there is no memory; then the answer is as before.
bool take_copy(ngx_pool_t *pool, const AnswerCopy &copy, AnswerSource source, InterpretedAnswer &answer) noexcept {
  PoolMemory memory(pool);
  if (!oauth::unpack(copy.packed, copy.jwt, memory, answer.information)) {
    return false;
  }
  answer.authorization = copy.authorization;
  answer.source = source;
  return true;
}

/// What has been signed by other settings, or has ended, is to be signed anew, and then kept for the rest of the copy's
/// life.
void take_signed(const HotCopy &copy, std::string_view signing, AsRequest &request) noexcept {
  if (signing.empty()) {
    return;
  }
  request.interpreted.signed_authorization = copy.signed_authorization;
  if (!copy.signed_authorization.is_good(signing)) {
    request.captured.cache.held_until = copy.life.until;
    request.interpreted.kept = copy.life.since;
  }
}

/// @return whether the hot cache has the answer.
bool take_hot_copy(ngx_http_request_t *r, const phantom_token_location_t &location, AsRequest &request) noexcept {
  HotCopy copy;
  const std::string_view signing = location.policy->signing.digest;
  if (location.hot_cache == nullptr ||
      !find_hot_copy(*location.hot_cache, {request.asked.key, signing}, r->pool, copy) ||
      !take_copy(r->pool, copy.answer, AnswerSource::hot_cache, request.interpreted)) {
    return false;
  }
  take_signed(copy, signing, request);
  ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: the hot cache has the answer");
  request.running.progress = Progress::done;
  return true;
}

/// @return how long the request may yet wait for answers to others.
ngx_msec_t patience(const RequestState &state, const phantom_token_location_t &location) noexcept {
  const ngx_msec_t longest = std::min(longest_wait_for_others, location.response_timeout);
  return longest - std::min(longest, state.waiting.spent_on_others);
}

/// Asks the authorization server, or waits with others that do.
AccessStep ask(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
               AsRequest &request) noexcept {
  const bool may_share = location.hot_cache != nullptr && r == r->main && !state.waiting.asks_alone;
  const ngx_msec_t longest = may_share ? patience(state, location) : 0;
  if (longest != 0 && follow(r, request, longest)) {
    return await(request);
  }
  const oauth::Verdict prepared = prepare_token_request(r, location, request);
  if (prepared.outcome != Outcome::active) {
    return {prepared};
  }
  if (!start_subrequest(r, request, location.response_timeout)) {
    return no_memory();
  }
  if (may_share) {
    lead(r, request);
  }
  return await(request);
}

oauth::TokenInformation read_response(AsRequest &request, jose::Memory &memory) noexcept {
  const AsRequestTemplate &asked = request.asked;
  oauth::Response &response = request.captured.response;
  if (oauth::is_inactive_by_status(response, *asked.inactive_statuses)) {
    return oauth::inactive_by_status(response, memory);
  }
  return asked.kind == AsRequestKind::token_exchange
             ? oauth::read_exchange(response, asked.requested_token_type, memory)
             : oauth::read_introspection(response, asked.jwt_members, memory);
}

/// Reads the response, and remembers what it says for the next request of this worker that gets the same bytes.
void read(const ngx_http_request_t *r, AsRequest &request) noexcept {
  oauth::TokenInformation &information = request.interpreted.information;
  PoolMemory memory(r->pool);
  ParsedAnswer *parsed = reserve_answer(request, r->connection->log);
  information = read_response(request, memory);
  if (memory.ran_out()) {
    information =
        oauth::refused_response(Outcome::internal_error, "no memory to read the response of the authorization server");
  }
  request.interpreted.source = AnswerSource::response;
  if (parsed != nullptr && information.outcome == Outcome::active) {
    remember_answer(*parsed, request, r->pool);
  }
}

bool take_parsed_answer(const ngx_http_request_t *r, AsRequest &request) noexcept {
  AnswerCopy copy;
  return recall_answer(request, r->pool, copy) &&
         take_copy(r->pool, copy, AnswerSource::parsed_before, request.interpreted);
}

/// To be called once.
void interpret(const ngx_http_request_t *r, AsRequest &request) noexcept {
  const oauth::Verdict capture = check_capture(request.captured);
  if (capture.outcome != Outcome::active) {
    request.interpreted.information = oauth::refused_response(capture.outcome, capture.problem);
    request.interpreted.source = AnswerSource::response;
  } else if (!take_parsed_answer(r, request)) {
    read(r, request);
  }
  count_as_request(r, request, request.interpreted.information.outcome);
}

/// RFC 5861 section 3: with stale-while-revalidate the authorization server itself allows it.
bool is_too_old(const CacheUse &cache, const phantom_token_location_t &location) noexcept {
  return cache.is_stale() && !cache.is_being_renewed && location.stale == 0;
}

}  // namespace

AccessStep find_answer(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                       std::string_view token) noexcept {
  const TokenRequestTemplate &token_request = location.policy->token_request;
  ngx_str_t endpoint;
  state.endpoint_directive =
      token_request.is_exchange ? "phantom_token_exchange_endpoint" : "phantom_token_introspection_endpoint";
  if (!evaluate_endpoint(r, token_request.endpoint, endpoint)) {
    state.answer = nullptr;
    return no_memory();
  }
  if (!is_subrequest_uri(endpoint)) {
    state.answer = nullptr;
    return {{Outcome::misconfigured, no_uri}};
  }
  const AnswerKey key = make_answer_key(token_request, to_view(endpoint), token);
  state.answer = find_known_answer(r, key);
  if (state.answer != nullptr) {
    return go_on();
  }
  AsRequest *request = make_token_request(r, location, key);
  if (request == nullptr) {
    return no_memory();
  }
  state.answer = request;
  if (!is_detached(r) && take_hot_copy(r, location, *request)) {
    return go_on();
  }
  return can_ask(r)
             ? ask(r, state, location, *request)
             : AccessStep{{Outcome::misconfigured,
                           "a mirror, a post_action, an SSI include with \"set\" and a subrequest of njs can only "
                           "use the answer that the main request got from the same endpoint"}};
}

oauth::Verdict read_answer(const ngx_http_request_t *r, AsRequest &answer,
                           const phantom_token_location_t &location) noexcept {
  const bool counts = check_capture(answer.captured).outcome == Outcome::active;
  if (counts && is_too_old(answer.captured.cache, location)) {
    return {Outcome::stale, "the cached response is stale; \"phantom_token_stale on\" would accept it"};
  }
  if (answer.interpreted.source == AnswerSource::unread) {
    interpret(r, answer);
  }
  return {Outcome::active};
}

}  // namespace gateway
