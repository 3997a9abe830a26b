#include "signature_check.h"

#include <algorithm>

#include "../../jose/signature.h"
#include "../../nginx/strings.h"
#include "../../oauth/token_information_codec.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "../observation/metrics.h"
#include "../subrequest/coalescing.h"
#include "../subrequest/endpoint_uri.h"
#include "../subrequest/key_store.h"
#include "../subrequest/subrequest.h"
#include "asking.h"

namespace gateway {
namespace {

using oauth::Outcome;

/// The JWK Set that a signature is verified by.
struct KeySetSource {
  std::string_view endpoint;
  KeyStoreEntry *entry = nullptr;
  time_t now = 0;
};

constexpr AccessStep cannot_ask() noexcept {
  return {{Outcome::jwks_unavailable, "the JWK Set cannot be asked for here"}};
}

/// Whoever still waits for the set: it is for all requests of the worker.
void take_key_set(ngx_http_request_t *subrequest, const AsRequest &request) noexcept {
  count_as_request(subrequest, request, store_keys(subrequest, request));
}

/// One fetch of the JWK Set serves all who wait, as long as it takes.
ngx_msec_t patience(const RequestState &state, const phantom_token_location_t &location) noexcept {
  return location.response_timeout - std::min(location.response_timeout, state.waiting.spent_on_others);
}

AccessStep fetch(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                 const KeySetSource &source, const AnswerKey &key, bool bypasses_cache) noexcept {
  // One for the set, one that another request has begun, and one for an unknown key: an endpoint whose variables change
  // with each reading would go on for ever.
  constexpr std::size_t most_requests = 3;
  if (++state.key_set.count > most_requests) {
    return cannot_ask();
  }
  AsRequest *request = make_jwk_set_request(r, location, key);
  if (request == nullptr) {
    return no_memory();
  }
  state.key_set.request = request;
  const ngx_msec_t longest = r == r->main ? patience(state, location) : 0;
  if (longest != 0 && follow(r, *request, longest)) {
    return await(*request);
  }
  request->asked.bypasses_cache = bypasses_cache;
  request->running.on_completion = take_key_set;
  if (!start_subrequest(r, *request, location.response_timeout)) {
    state.key_set.request = nullptr;
    return no_memory();
  }
  note_request(*source.entry);
  if (!has_leader(key)) {
    lead(r, *request);
  }
  return await(*request);
}

/// For a key that is not in the set.
AccessStep refresh(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                   const KeySetSource &source) noexcept {
  AnswerKey key;
  return make_jwk_set_key(r, source.endpoint, key) ? fetch(r, state, location, source, key, true) : no_memory();
}

/// The set that this request has asked or waited for is in the store now, if there was one.
AccessStep take_fetched(RequestState &state) noexcept {
  const AsRequest &request = *state.key_set.request;
  state.key_set.has_refreshed |= request.asked.bypasses_cache;
  state.key_set.request = nullptr;
  return request.captured.misconfiguration == nullptr
             ? go_on()
             : AccessStep{{Outcome::misconfigured, request.captured.misconfiguration}};
}

/// Asks for the set, or waits for it, where that is due. While one request asks, the others go on with the set that is
/// there; but where clients have taken requests with them, all wait, until one of them gets an answer.
/// @return to go on with the set that is there, if any.
AccessStep update_key_set(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                          const KeySetSource &source) noexcept {
  if (state.key_set.request != nullptr && state.key_set.request->asked.key.endpoint == source.endpoint) {
    return take_fetched(state);
  }
  if (!can_ask(r) || !is_fetch_due(*source.entry, source.now)) {
    return go_on();
  }
  AnswerKey key;
  if (!make_jwk_set_key(r, source.endpoint, key)) {
    return no_memory();
  }
  const bool is_needed =
      usable_keys(*source.entry, source.now) == nullptr || has_lost_requests(*source.entry) || !has_leader(key);
  return is_needed ? fetch(r, state, location, source, key, false) : go_on();
}

/// Why there is no JWK Set.
AccessStep explain_lack(const ngx_http_request_t *r, const KeyStoreEntry &entry) noexcept {
  if (const char *misconfiguration = find_misconfiguration(entry)) {
    return {{Outcome::misconfigured, misconfiguration}};
  }
  return can_ask(r) ? AccessStep{{Outcome::jwks_unavailable, "there is no JWK Set to verify signatures with"}}
                    : cannot_ask();
}

AccessStep verify(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                  const KeySetSource &source, jose::KeySet &keys, const JwtToVerify &to_verify) noexcept {
  PoolMemory memory(r->pool);
  if (to_verify.packed != nullptr && !oauth::read_all(*to_verify.packed, memory)) {
    return no_memory();
  }
  const jose::VerificationResult result = jose::verify_signature(keys, to_verify.jwt);
  switch (result.verification) {
    case jose::Verification::good:
      return go_on();
    case jose::Verification::no_memory:
      return {{Outcome::internal_error, result.problem}};
    case jose::Verification::unknown_key:
      if (!state.key_set.has_refreshed && can_ask(r) && is_refresh_due(*source.entry, source.now)) {
        return refresh(r, state, location, source);
      }
      break;
    default:
      break;
  }
  return {{to_verify.if_bad, result.problem}};
}

}  // namespace

AccessStep check_signature(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                           const JwtToVerify &to_verify) noexcept {
  if (to_verify.jwt.compact.empty()) {
    return {{Outcome::as_bad_response,
             "\"phantom_token_verify_jwt\" is on, but the response holds no JWT whose signature could be verified"}};
  }
  ngx_str_t endpoint;
  if (!evaluate_endpoint(r, location.jwks_endpoint, endpoint)) {
    return no_memory();
  }
  state.endpoint_directive = "phantom_token_jwks_endpoint";
  if (!is_subrequest_uri(endpoint)) {
    return {{Outcome::misconfigured, no_uri}};
  }
  const KeySetSource source = {to_view(endpoint), find_keys(r, to_view(endpoint)), key_store_time()};
  if (source.entry == nullptr) {
    return no_memory();
  }
  const AccessStep updated = update_key_set(r, state, location, source);
  if (!updated.goes_on()) {
    return updated;
  }
  jose::KeySet *keys = usable_keys(*source.entry, source.now);
  if (keys == nullptr) {
    return explain_lack(r, *source.entry);
  }
  return jose::has_verified(*keys, to_verify.jwt.compact) ? go_on()
                                                          : verify(r, state, location, source, *keys, to_verify);
}

void forget_lost_key_set(RequestState &state) noexcept {
  state.key_set.request = nullptr;
  state.key_set.count--;
}

}  // namespace gateway
