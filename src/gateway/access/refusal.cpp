#include "refusal.h"

#include <algorithm>

#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../oauth/introspection.h"
#include "../configuration/module_configuration.h"
#include "../observation/redaction.h"
#include "../subrequest/advice.h"
#include "error_body.h"
#include "refusal_headers.h"

namespace gateway {
namespace {

using oauth::Outcome;

/// A module context on purpose: nginx clears it at every internal redirect, and what an error_page then sends is not
/// ours to replace.
struct PendingBody {
  ngx_uint_t status = 0;
  ErrorBody body;
  bool header_sent = false;
  bool body_sent = false;
};

PendingBody *pending_body(const ngx_http_request_t *r) noexcept {
  return static_cast<PendingBody *>(ngx_http_get_module_ctx(r, ngx_http_phantom_token_module));
}

bool set_pending_body(ngx_http_request_t *r, const phantom_token_location_t &location, ngx_uint_t status) noexcept {
  PendingBody *pending = nullptr;
  const ErrorBody body = error_body(location.error_format, status);
  if (!body.content.empty()) {
    pending = make<PendingBody>(r->pool);
    if (pending == nullptr) {
      return false;
    }
    pending->status = status;
    pending->body = body;
  }
  ngx_http_set_ctx(r, pending, ngx_http_phantom_token_module);
  return true;
}

/// @return the answer that a refusal with this outcome is about, or nullptr where it is about none: what is wrong with
///   a JWK Set, the key store has logged.
const AsRequest *blamed_answer(const RequestState &state, Outcome outcome) noexcept {
  const AsRequest *answer = state.answer;
  const bool is_of_server = answer != nullptr && answer->running.progress == Progress::done &&
                            answer->interpreted.source != AnswerSource::hot_cache && state.client_jwt == nullptr;
  return is_of_server && outcome != Outcome::jwks_unavailable && outcome != Outcome::dpop_replay_full ? answer
                                                                                                      : nullptr;
}

/// @return what follows the scheme.
std::string_view basic_credentials(std::string_view authorization) noexcept {
  return authorization.substr(std::min(authorization.find(' ') + 1, authorization.size()));
}

/// What the authorization server says of itself, made fit for a log line.
ngx_str_t server_message(const ngx_http_request_t *r, const RequestState &state,
                         const phantom_token_location_t &location, const AsRequest *answer) noexcept {
  if (answer == nullptr) {
    return ngx_null_string;
  }
  const std::string_view said = answer->interpreted.information.server_message;
  return printable(r->pool, redact(r->pool, said.empty() ? to_view(answer->captured.redirect_target) : said,
                                   {state.token, to_view(location.client_secret),
                                    basic_credentials(answer->asked.authorization), answer->asked.client_assertion}));
}

constexpr const char *no_jwt_advice =
    "\"phantom_token_forward sign\" makes a JWT of what the response says, and \"none\" needs none; or does the "
    "authorization server hand one out to another client, or for another \"proxy_set_header Accept\"?";

/// @return what to do, where that does not depend on the location.
const char *advice_about(const AsRequest &answer, const oauth::Verdict &verdict) noexcept {
  if (verdict.problem == oauth::no_jwt_in_response) {
    return no_jwt_advice;
  }
  return verdict.problem == oauth::verdict_by_status(answer.captured.response).problem ? advice(answer) : nullptr;
}

/// The client's mistakes are its own, and there can be many; the others' are for the operator.
ngx_uint_t log_level(unsigned status, const ngx_str_t &message) noexcept {
  if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
    return NGX_LOG_ERR;
  }
  // An exchange that is set up wrongly is answered like one of a bad token.
  return message.len != 0 ? NGX_LOG_WARN : NGX_LOG_INFO;
}

void log_refusal(const ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location,
                 const oauth::Verdict &verdict) noexcept {
  const oauth::OutcomeMeaning &meaning = oauth::meaning(verdict.outcome);
  const AsRequest *answer = blamed_answer(state, verdict.outcome);
  ngx_str_t word = to_ngx_str(meaning.word);
  const ngx_str_t message = server_message(r, state, location, answer);
  const ngx_uint_t level = log_level(meaning.status, message);
  const char *problem = verdict.problem == nullptr ? "refused" : verdict.problem;
  const ngx_str_t name = display_name(core_location_of(r));
  if (verdict.outcome == Outcome::misconfigured) {
    const ngx_str_t asked = answer != nullptr ? answer->captured.location_name : ngx_str_t(ngx_null_string);
    ngx_log_error(level, r->connection->log, 0, "phantom token: %V: \"%s\": %s, location \"%V\"%s%V%s", &word,
                  state.endpoint_directive, problem, &name, answer != nullptr ? ", asked location \"" : "", &asked,
                  answer != nullptr ? "\"" : "");
    return;
  }
  if (answer == nullptr || level == NGX_LOG_INFO) {
    ngx_log_error(level, r->connection->log, 0, "phantom token: %V: %s, location \"%V\"", &word, problem, &name);
    return;
  }
  u_char buffer[longest_status];
  const ngx_str_t status = status_in_log(answer->captured, buffer);
  const char *to_do = advice_about(*answer, verdict);
  ngx_log_error(level, r->connection->log, 0, "phantom token: %V: %s%s%V%s%s, location \"%V\", asked location \"%V\"%V",
                &word, problem, message.len == 0 ? "" : ": ", &message, to_do == nullptr ? "" : "; ",
                to_do == nullptr ? "" : to_do, &name, &answer->captured.location_name, &status);
}

}  // namespace

ngx_int_t refuse(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                 oauth::Verdict verdict) noexcept {
  const oauth::OutcomeMeaning &meaning = oauth::meaning(verdict.outcome);
  note_judgement(state, verdict.outcome);
  state.allowed_by = nullptr;
  log_refusal(r, state, location, verdict);
  withdraw_headers(r, state);

  const bool challenged = meaning.status == NGX_HTTP_UNAUTHORIZED || meaning.status == NGX_HTTP_FORBIDDEN;
  if ((challenged && !set_challenges(r, state, location, verdict.outcome)) ||
      !set_retry_after(r, state, verdict.outcome) || !set_pending_body(r, location, meaning.status)) {
    state.outcome = Outcome::internal_error;
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return static_cast<ngx_int_t>(meaning.status);
}

void withdraw_refusal(ngx_http_request_t *r, const RequestState &state) noexcept {
  ngx_http_set_ctx(r, nullptr, ngx_http_phantom_token_module);
  withdraw_headers(r, state);
  withdraw_other_challenges(r);
}

void replace_error_header(ngx_http_request_t *r) noexcept {
  PendingBody *pending = pending_body(r);
  if (pending == nullptr || pending->header_sent || r->headers_out.status != pending->status) {
    return;
  }
  pending->header_sent = true;
  r->headers_out.content_type = to_ngx_str(pending->body.content_type);
  r->headers_out.content_type_len = pending->body.content_type.size();
  r->headers_out.content_type_lowcase = nullptr;
  r->headers_out.charset.len = 0;
  r->headers_out.content_length_n = static_cast<off_t>(pending->body.content.size());
  if (r->headers_out.content_length != nullptr) {
    r->headers_out.content_length->hash = 0;
    r->headers_out.content_length = nullptr;
  }
}

ngx_chain_t *replace_error_body(ngx_http_request_t *r, ngx_chain_t *in) noexcept {
  PendingBody *pending = pending_body(r);
  if (pending == nullptr || !pending->header_sent || pending->body_sent || in == nullptr) {
    return in;
  }
  auto *buffer = static_cast<ngx_buf_t *>(ngx_calloc_buf(r->pool));
  ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
  if (buffer == nullptr || link == nullptr) {
    return nullptr;
  }
  pending->body_sent = true;
  const ngx_str_t content = to_ngx_str(pending->body.content);
  buffer->pos = buffer->start = content.data;
  buffer->last = buffer->end = content.data + content.len;
  buffer->memory = 1;
  buffer->last_buf = r == r->main ? 1 : 0;
  buffer->last_in_chain = 1;
  link->buf = buffer;
  link->next = nullptr;
  return link;
}

}  // namespace gateway
