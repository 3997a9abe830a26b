// phantom_token_revoke: reads what comes, and records what it revokes.

#include "revoke.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/pool.h"
#include "../../nginx/request_body.h"
#include "../../nginx/response.h"
#include "../../nginx/strings.h"
#include "../../oauth/revocation_form.h"
#include "../../oauth/security_event.h"
#include "../cache/revocation_zone.h"
#include "../configuration/policy.h"
#include "../configuration/pool_memory.h"
#include "../subrequest/waiting.h"
#include "refusal.h"
#include "revoke_response.h"
#include "signature_check.h"

namespace gateway {

/// What a request brings, while it is being read.
struct ReceivedRevocation {
  const phantom_token_location_t *location = nullptr;
  bool has_body = false;
  bool is_read = false;  ///< the event token
  ReceivedKind kind = ReceivedKind::form;
  jose::Jwt jwt;
  oauth::EventResult event;
};

namespace {

using oauth::Outcome;

constexpr std::size_t largest_body = std::size_t{64} * 1024;

/// @return the media type of the body, without its parameters.
std::string_view media_type_of(const ngx_http_request_t *r) noexcept {
  const ngx_table_elt_t *header = r->headers_in.content_type;
  std::string_view type = header == nullptr ? std::string_view() : to_view(header->value);
  type = type.substr(0, type.find(';'));
  const std::size_t end = type.find_last_not_of(" \t");
  return type.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

void go_on_with_body(ngx_http_request_t *r) noexcept {
  if (const RequestState *state = find_state(r)) {
    state->received->has_body = true;
  }
  r->preserve_body = 1;
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
}

/// @return NGX_DONE where the body is being read, or a status.
ngx_int_t receive(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  if (r->method != NGX_HTTP_POST) {
    return push_header(r, "Allow", "POST") != nullptr ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  const std::string_view type = media_type_of(r);
  const bool is_event = jose::equal_ignoring_case(type, "application/secevent+jwt");
  if (!is_event && !jose::equal_ignoring_case(type, "application/x-www-form-urlencoded")) {
    return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
  }
  if (r->headers_in.content_length_n > static_cast<off_t>(largest_body)) {
    return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
  }
  state.received = make<ReceivedRevocation>(r->pool);
  if (state.received == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  state.received->location = &location;
  state.received->kind = is_event ? ReceivedKind::security_event : ReceivedKind::form;
  state.key_set = {};
  const ngx_int_t rc = ngx_http_read_client_request_body(r, go_on_with_body);
  if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
    return rc;
  }
  ngx_http_finalize_request(r, NGX_DONE);
  return NGX_DONE;
}

const ngx_shm_zone_t &zone_of(const phantom_token_location_t &location) noexcept {
  return *location.enclosing_location->takes_revocations;
}

/// @return the directive that an event token needs and that is missing, or nullptr.
const char *find_missing_directive(const phantom_token_location_t &location) noexcept {
  const oauth::Requirements &requirements = location.policy->requirements;
  if (location.jwks_endpoint == nullptr) {
    return "phantom_token_jwks_endpoint";
  }
  if (requirements.issuers.empty()) {
    return "phantom_token_issuer";
  }
  return requirements.audiences.empty() ? "phantom_token_audience" : nullptr;
}

oauth::EventKind event_kind(ReceivedKind kind) noexcept {
  return kind == ReceivedKind::logout_token ? oauth::EventKind::logout_token : oauth::EventKind::security_event;
}

/// Reads what an event token says, as far as it can be read without keys.
/// @return false where there is no memory.
bool read_event_token(ngx_http_request_t *r, const phantom_token_location_t &location, std::string_view token,
                      ReceivedRevocation &received) noexcept {
  PoolMemory memory(r->pool);
  if (!jose::parse_jwt(token, memory, received.jwt, received.event.problem)) {
    received.event.error = received.event.problem == jose::jwt_is_not_signed ? oauth::EventError::invalid_key
                                                                             : oauth::EventError::invalid_request;
  } else {
    const oauth::Requirements &requirements = location.policy->requirements;
    received.event = oauth::read_event(
        event_kind(received.kind), received.jwt,
        {requirements.issuers, requirements.audiences, revocations_of(zone_of(location)).keep, requirements.leeway},
        ngx_time(), memory);
  }
  received.is_read = true;
  return !memory.ran_out();
}

ngx_int_t record_event(ngx_http_request_t *r, const phantom_token_location_t &location,
                       const ReceivedRevocation &received) noexcept {
  RevocationOrder order;
  order.revocations = received.event.first;
  order.event_kind = received.kind == ReceivedKind::logout_token ? logout_token_kind : security_event_kind;
  order.event_issuer = received.event.issuer;
  order.jti = received.event.jti;
  order.iat = received.event.iat;
  const Recorded recorded = record_revocations(r, zone_of(location), order);
  if (recorded == Recorded::recorded) {
    log_revocations(r, received.kind, order.revocations, received.event.unknown);
  }
  return answer_event(r, received.kind, recorded, received.event);
}

/// The request is not to blame: its sender may try again.
ngx_int_t refuse_to_verify(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                           const oauth::Verdict &verdict) noexcept {
  note_failure(r, state.received->kind);
  if (verdict.outcome == Outcome::jwks_unavailable && !push_retry_after(r)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return refuse(r, state, location, verdict);
}

/// Runs again when the keys have come that it has waited for.
ngx_int_t verify_event(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  const ReceivedRevocation &received = *state.received;
  const AccessStep step = check_signature(r, state, location, {received.jwt, Outcome::signature_of_client});
  if (step.awaited != nullptr) {
    return wait(r, state, location, step.awaited);
  }
  if (step.goes_on()) {
    return record_event(r, location, received);
  }
  if (step.verdict.outcome == Outcome::signature_of_client) {
    return refuse_event(r, received.kind, oauth::EventError::invalid_key, step.verdict.problem);
  }
  return refuse_to_verify(r, state, location, step.verdict);
}

ngx_int_t take_event(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     std::string_view token) noexcept {
  if (const char *missing = find_missing_directive(location)) {
    state.endpoint_directive = missing;
    return refuse_to_verify(r, state, location,
                            {Outcome::misconfigured,
                             "is missing, without which no logout token and no security event "
                             "token can be verified"});
  }
  ReceivedRevocation &received = *state.received;
  if (!read_event_token(r, location, token, received)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return received.event.error == oauth::EventError::none
             ? verify_event(r, state, location)
             : refuse_event(r, received.kind, received.event.error, received.event.problem);
}

ngx_int_t take_form(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                    std::string_view body) noexcept {
  PoolMemory memory(r->pool);
  const oauth::RevocationRequest request = oauth::read_revocation_form(body, ngx_time(), memory);
  if (memory.ran_out()) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (request.problem != nullptr) {
    return refuse_form(r, request.problem);
  }
  if (!request.logout_token.empty()) {
    state.received->kind = ReceivedKind::logout_token;
    return take_event(r, state, location, request.logout_token);
  }
  const oauth::EventRevocation revocation = {request.revocation, nullptr};
  RevocationOrder order;
  order.revocations = &revocation;
  const Recorded recorded = record_revocations(r, zone_of(location), order);
  if (recorded == Recorded::recorded) {
    log_revocations(r, ReceivedKind::form, &revocation, nullptr);
  }
  return answer_form(r, request.revocation.kind, recorded);
}

ngx_int_t take_body(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  std::string_view body;
  if (body_size(r) > largest_body) {
    return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
  }
  if (!collect_body(r, body)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return state.received->kind == ReceivedKind::form ? take_form(r, state, location, body)
                                                    : take_event(r, state, location, body);
}

/// @return whether the request still waits for keys.
bool waits_for_keys(RequestState &state) noexcept {
  const AsRequest *awaited = state.waiting.awaited;
  if (awaited == nullptr || still_waits(state)) {
    return awaited != nullptr;
  }
  state.waiting.awaited = nullptr;
  if (awaited->running.progress != Progress::done) {
    state.waiting.spent_on_others += ngx_current_msec - awaited->running.started;
    forget_lost_key_set(state);
  }
  return false;
}

ngx_int_t revoke_handler(ngx_http_request_t *r) noexcept {
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                "phantom token: another module has left this module's precontent handler out: no revocation is taken");
  return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace

ngx_int_t take_revocation(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (state->received == nullptr || state->received->location != &location) {
    return receive(r, *state, location);
  }
  if (!state->received->has_body) {
    return NGX_DONE;
  }
  if (waits_for_keys(*state)) {
    return wait(r, *state, location, state->waiting.awaited);
  }
  return state->received->is_read ? verify_event(r, *state, location) : take_body(r, *state, location);
}

}  // namespace gateway

extern "C" char *phantom_token_set_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  ngx_http_core_loc_conf_t &core = nginx::core_location_of(cf);
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  ngx_str_t name = static_cast<const ngx_str_t *>(cf->args->elts)[1];
  if (location.takes_revocations != nullptr) {
    return const_cast<char *>("is duplicate");
  }
  if (name.len == 0) {
    return gateway::refuse_zone_line(cf, cmd, "wants the name of a zone, it has", name);
  }
  core.handler = gateway::revoke_handler;
  location.takes_revocations_at = {cf->conf_file->file.name, cf->conf_file->line};
  // Of no size: the line that declares it may come later.
  location.takes_revocations = ngx_shared_memory_add(cf, &name, 0, &ngx_http_phantom_token_module);
  return location.takes_revocations == nullptr ? static_cast<char *>(NGX_CONF_ERROR) : NGX_CONF_OK;
}
