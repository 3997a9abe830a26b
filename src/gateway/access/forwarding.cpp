#include "forwarding.h"

#include <utility>

#include "../../jose/random_id.h"
#include "../../oauth/bearer.h"
#include "../../oauth/signed_jwt.h"
#include "../../oauth/token_information_codec.h"
#include "../cache/hot_cache.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "authorization.h"

namespace gateway {
namespace {

using oauth::Outcome;

/// Once for each answer: a copy lives for as long as the zone's `valid` from its answer on, and not from a later use of
/// the answer, by an include or after a redirect of the same request.
void keep(ngx_http_request_t *r, AsRequest &answer, const phantom_token_location_t &location) noexcept {
  const time_t until = std::exchange(answer.captured.cache.held_until, 0);
  if (location.hot_cache != nullptr && until != 0) {
    const bool is_copy = answer.interpreted.source == AnswerSource::hot_cache;
    const CopyLife life = {until, is_copy ? answer.interpreted.kept : ngx_current_msec};
    keep_hot_copy(r, *location.hot_cache, {answer.asked.key, location.policy->signing.digest}, answer.interpreted,
                  life);
  }
}

/// Another request that waited for the same answer may have signed it meanwhile.
bool take_signed_by_other(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location,
                          InterpretedAnswer &interpreted) noexcept {
  if (state.client_jwt != nullptr || location.hot_cache == nullptr) {
    return false;
  }
  const std::string_view signing = location.policy->signing.digest;
  HotCopy copy;
  if (!find_hot_copy(*location.hot_cache, {state.answer->asked.key, signing}, r->pool, copy) ||
      !copy.signed_authorization.is_good(signing)) {
    return false;
  }
  interpreted.signed_authorization = copy.signed_authorization;
  return true;
}

AccessStep sign(ngx_http_request_t *r, const phantom_token_location_t &location,
                InterpretedAnswer &interpreted) noexcept {
  const SigningSettings &signing = location.policy->signing;
  PoolMemory memory(r->pool);
  oauth::SignedJwt jwt;
  char jti[jose::random_id_size];
  if (!oauth::read_all(interpreted.information, memory)) {
    return no_memory();
  }
  if (!jose::make_random_id(jti)) {
    return {{Outcome::internal_error, "the JWT for the API cannot be signed: OpenSSL has no random bits"}};
  }
  const oauth::Verdict verdict =
      oauth::make_signed_jwt(signing.jwt, interpreted.information, ngx_time(), {jti, sizeof(jti)}, memory, jwt);
  if (verdict.outcome != Outcome::active) {
    return {verdict};
  }
  ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: a JWT for the API has been signed");
  interpreted.signed_authorization = {make_authorization(r, jwt.compact), signing.digest, jwt.exp};
  return interpreted.signed_authorization.value.empty() ? no_memory() : go_on();
}

/// @return the value of Authorization; empty where there is no memory.
std::string_view authorization_of(ngx_http_request_t *r, const phantom_token_location_t &location,
                                  const InterpretedAnswer &interpreted) noexcept {
  if (location.forward == PHANTOM_TOKEN_FORWARD_SIGN) {
    return interpreted.signed_authorization.value;
  }
  const std::string_view jwt = interpreted.information.jwt.compact;
  return interpreted.authorization.empty() && !jwt.empty() ? make_authorization(r, jwt) : interpreted.authorization;
}

bool is_signed(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location,
               InterpretedAnswer &interpreted) noexcept {
  return interpreted.signed_authorization.is_good(location.policy->signing.digest) ||
         take_signed_by_other(r, state, location, interpreted);
}

}  // namespace

const jose::Jwt &jwt_of(const RequestState &state) noexcept {
  return interpreted_of(state).information.jwt;
}

AccessStep prepare_authorization(ngx_http_request_t *r, RequestState &state,
                                 const phantom_token_location_t &location) noexcept {
  InterpretedAnswer &interpreted = interpreted_of(state);
  state.forwarded_jwt = {};
  if (location.forward == PHANTOM_TOKEN_FORWARD_SIGN) {
    const AccessStep step = is_signed(r, state, location, interpreted) ? go_on() : sign(r, location, interpreted);
    if (!step.goes_on()) {
      return step;
    }
    state.forwarded_jwt = interpreted.signed_authorization.value.substr(oauth::bearer_scheme.size());
  } else if (location.forward == PHANTOM_TOKEN_FORWARD_JWT) {
    state.forwarded_jwt = interpreted.information.jwt.compact;
  }
  if (state.client_jwt == nullptr) {
    keep(r, *state.answer, location);
  }
  return go_on();
}

bool forward(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location) noexcept {
  if (location.forward == PHANTOM_TOKEN_FORWARD_NONE) {
    return remove_authorization(r);
  }
  const std::string_view value = authorization_of(r, location, interpreted_of(state));
  return !value.empty() && set_authorization(r, value);
}

}  // namespace gateway
