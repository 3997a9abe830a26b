#include "access_check.h"

#include "../../oauth/decision.h"
#include "../configuration/module_configuration.h"
#include "../configuration/policy.h"
#include "../subrequest/client_token.h"
#include "../subrequest/waiting.h"
#include "access_step.h"
#include "authorization.h"
#include "client_jwt.h"
#include "forwarding.h"
#include "preflight.h"
#include "proof_check.h"
#include "refusal.h"
#include "required_values.h"
#include "revocation_check.h"
#include "signature_check.h"
#include "token_answer.h"

namespace gateway {
namespace {

using oauth::Outcome;

bool needs_verification(const RequestState &state, const phantom_token_location_t &location) noexcept {
  return state.client_jwt != nullptr ? location.inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY : location.verify_jwt != 0;
}

JwtToVerify jwt_to_verify(const RequestState &state) noexcept {
  return state.client_jwt != nullptr
             ? JwtToVerify{jwt_of(state), Outcome::signature_of_client, nullptr}
             : JwtToVerify{jwt_of(state), Outcome::signature_of_server, &state.answer->interpreted.information};
}

AccessStep judge(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location) noexcept {
  if (state.client_jwt == nullptr) {
    const oauth::Verdict read = read_answer(r, *state.answer, location);
    if (read.outcome != Outcome::active) {
      return {read};
    }
  }
  const oauth::TokenInformation &information = interpreted_of(state).information;
  oauth::ProvenKeys proven;
  if (!find_proven_keys(r, state, location, information.checked_claims, proven)) {
    return no_memory();
  }
  return {state.client_jwt != nullptr ? judge_client_jwt(information, location, proven)
                                      : oauth::decide(information, location.policy->requirements, proven, ngx_time())};
}

/// All that can be known without asking for keys is here: the answer about the token, or the client's own JWT.
AccessStep conclude(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  const AccessStep judged = judge(r, state, location);
  const AccessStep unrevoked = judged.goes_on() ? check_revocation(state, location) : judged;
  if (!unrevoked.goes_on()) {
    return unrevoked;
  }
  const AccessStep verified =
      needs_verification(state, location) ? check_signature(r, state, location, jwt_to_verify(state)) : go_on();
  const AccessStep unused = verified.goes_on() ? check_replay(r, state, location) : verified;
  const AccessStep prepared = unused.goes_on() ? prepare_authorization(r, state, location) : unused;
  return prepared.goes_on() ? check_required_values(r, state, location) : prepared;
}

AccessStep check_token(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                       std::string_view token) noexcept {
  ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: the request has a token of %uz characters",
                 token.size());
  if (state.scheme == oauth::Scheme::dpop) {
    const AccessStep proven = check_proof(r, state, location);
    if (!proven.goes_on()) {
      return proven;
    }
  }
  if (!read_client_jwt(r, state, location, token)) {
    return no_memory();
  }
  if (state.client_jwt != nullptr) {
    return conclude(r, state, location);
  }
  if (location.policy->token_request.endpoint == nullptr) {
    state.answer = nullptr;
    return {{Outcome::inactive, "an opaque token, and no endpoint to ask about it"}};
  }
  const AccessStep found = find_answer(r, state, location, token);
  return found.goes_on() ? conclude(r, state, location) : found;
}

AccessStep check_credentials(ngx_http_request_t *r, RequestState &state,
                             const phantom_token_location_t &location) noexcept {
  ClientToken client;
  const oauth::Verdict found = find_client_token(r, location, client);
  state.token = client.token;
  state.scheme = client.scheme;
  state.proven_key = {};
  if (found.outcome == Outcome::active) {
    return check_token(r, state, location, state.token);
  }
  if (found.outcome == Outcome::internal_error) {
    return no_memory();
  }
  const bool is_anonymous = found.outcome == Outcome::missing && location.enabled == PHANTOM_TOKEN_OPTIONAL;
  return {is_anonymous ? oauth::Verdict{Outcome::anonymous} : found};
}

/// The request's first run, or one in another location after a redirect.
AccessStep begin(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  state.is_judged = false;
  state.waiting.awaited = nullptr;
  state.key_set = {};
  if (has_several_authorizations(r->headers_in)) {
    return {{Outcome::malformed, "more than one Authorization header"}};
  }
  if (location.preflight != PHANTOM_TOKEN_PREFLIGHT_PROTECT && is_preflight(r)) {
    return {{Outcome::preflight}};
  }
  if (location.policy->token_request.endpoint == nullptr && location.inbound_jwt != PHANTOM_TOKEN_INBOUND_VERIFY) {
    state.answer = nullptr;
    state.endpoint_directive = "phantom_token_introspection_endpoint";
    return {{Outcome::misconfigured, "\"phantom_token\" is on here without an endpoint"}};
  }
  return check_credentials(r, state, location);
}

/// The answer that this request has waited for went to others, or to nobody.
AccessStep begin_anew(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                      const AsRequest &lost) noexcept {
  state.waiting.spent_on_others += ngx_current_msec - lost.running.started;
  if (lost.asked.is_about_token()) {
    state.waiting.asks_alone = lost.running.progress == Progress::must_ask_alone;
    return begin(r, state, location);
  }
  forget_lost_key_set(state);
  return conclude(r, state, location);
}

void note_allowed(RequestState &state, const phantom_token_location_t &location, Outcome outcome) noexcept {
  note_judgement(state, outcome);
  state.allowed_by = &location;
}

ngx_int_t refuse_for_memory(ngx_http_request_t *r, RequestState &state,
                            const phantom_token_location_t &location) noexcept {
  return refuse(r, state, location, no_memory().verdict);
}

ngx_int_t allow(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  if (!forward(r, state, location) || !remove_proof(r, location)) {
    return refuse_for_memory(r, state, location);
  }
  note_allowed(state, location, outcome_of_token(state, location));
  return NGX_OK;
}

/// @return NGX_OK where it goes to the API, NGX_HTTP_NO_CONTENT where it is answered here, or a refusal's status.
ngx_int_t pass_preflight(ngx_http_request_t *r, RequestState &state,
                         const phantom_token_location_t &location) noexcept {
  state.answer = nullptr;
  if (location.preflight == PHANTOM_TOKEN_PREFLIGHT_ANSWER) {
    note_judgement(state, Outcome::preflight);
    withdraw_refusal(r, state);  // under `satisfy any`, auth_basic has left its challenge
    return NGX_HTTP_NO_CONTENT;
  }
  note_allowed(state, location, Outcome::preflight);
  return remove_authorization(r) && remove_proof(r, location) ? NGX_OK : refuse_for_memory(r, state, location);
}

/// Without a token, under `phantom_token optional`.
/// @return NGX_DECLINED: nobody has been authenticated, so that under `satisfy any` it grants nothing that another
///   module refuses; or a refusal's status.
ngx_int_t pass_anonymous(ngx_http_request_t *r, RequestState &state,
                         const phantom_token_location_t &location) noexcept {
  state.answer = nullptr;
  note_allowed(state, location, Outcome::anonymous);
  return remove_authorization(r) && remove_proof(r, location) ? NGX_DECLINED : refuse_for_memory(r, state, location);
}

/// The one place where a request is allowed, refused or made to wait.
ngx_int_t enforce(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                  const AccessStep &step) noexcept {
  if (step.awaited != nullptr) {
    return wait(r, state, location, step.awaited);
  }
  ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: the access check ends with \"%s\"",
                 oauth::meaning(step.verdict.outcome).word.data());
  switch (step.verdict.outcome) {
    case Outcome::active:
      return allow(r, state, location);
    case Outcome::preflight:
      return pass_preflight(r, state, location);
    case Outcome::anonymous:
      return pass_anonymous(r, state, location);
    default:
      return refuse(r, state, location, step.verdict);
  }
}

/// The request goes on that has waited: with the answer, or without one for it.
AccessStep resume(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  const AsRequest &awaited = *state.waiting.awaited;
  state.waiting.awaited = nullptr;
  return awaited.running.progress == Progress::done ? conclude(r, state, location)
                                                    : begin_anew(r, state, location, awaited);
}

}  // namespace

ngx_int_t check_access(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  const bool has_waited = state->waiting.awaited != nullptr && state->waiting.location == &location;
  if (has_waited && still_waits(*state)) {
    return wait(r, *state, location, state->waiting.awaited);
  }
  return enforce(r, *state, location, has_waited ? resume(r, *state, location) : begin(r, *state, location));
}

}  // namespace gateway
