#include "revoke_response.h"

#include "../../jose/json_text.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../../nginx/response.h"
#include "../../nginx/strings.h"
#include "../configuration/pool_memory.h"
#include "../observation/metrics.h"

namespace gateway {
namespace {

constexpr std::string_view json = "application/json";

/// How an error stands in the body: RFC 6749 section 5.2, and RFC 8935 section 2.3.
struct ErrorNames {
  std::string_view error;
  std::string_view description;
  bool needs_language;  ///< RFC 8935 section 2.3: Content-Language must name that of the description
};

constexpr ErrorNames oauth_names = {"error", "error_description", false};
constexpr ErrorNames event_names = {"err", "description", true};

const char *in_words(ReceivedKind kind) noexcept {
  switch (kind) {
    case ReceivedKind::logout_token:
      return "a logout token";
    case ReceivedKind::security_event:
      return "a security event token";
    default:
      return "a form";
  }
}

std::size_t counted_kind(ReceivedKind kind) noexcept {
  return kind == ReceivedKind::logout_token ? received_event_kind : received_event_kind + 1;
}

/// The phase goes no further: the response has been sent, or cannot be.
ngx_int_t finish(ngx_http_request_t *r, ngx_int_t rc) noexcept {
  ngx_http_finalize_request(r, rc);
  return NGX_DONE;
}

bool push_no_store(ngx_http_request_t *r) noexcept {
  return push_header(r, "Cache-Control", "no-store") != nullptr;
}

ngx_int_t send_error(ngx_http_request_t *r, const ErrorNames &names, std::string_view error,
                     std::string_view description) noexcept {
  PoolMemory memory(r->pool);
  std::string_view body;
  const auto describe = [&](jose::Writer &writer) {
    writer.put("{\"");
    writer.put(names.error);
    writer.put("\":\"");
    writer.put(error);
    writer.put("\",\"");
    writer.put(names.description);
    writer.put("\":\"");
    writer.put_escaped(description);
    writer.put("\"}");
  };
  if (!jose::write_text(memory, describe, body) || !push_no_store(r) ||
      (names.needs_language && push_header(r, "Content-Language", "en") == nullptr)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return finish(r, send_response(r, NGX_HTTP_BAD_REQUEST, {json, json.size()}, body));
}

void log_refusal(const ngx_http_request_t *r, ReceivedKind kind, const char *problem) noexcept {
  const ngx_str_t name = display_name(core_location_of(r));
  ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "phantom token: %s is refused: %s, location \"%V\"",
                in_words(kind), problem, &name);
}

ngx_int_t send_empty(ngx_http_request_t *r, ngx_uint_t status) noexcept {
  return finish(r, send_response(r, status, {}, {}));
}

/// It has not been recorded, and is to be sent again.
ngx_int_t ask_to_send_again(ngx_http_request_t *r, Recorded recorded) noexcept {
  if (recorded == Recorded::failed || !push_retry_after(r)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_HTTP_SERVICE_UNAVAILABLE;
}

}  // namespace

ngx_int_t refuse_form(ngx_http_request_t *r, const char *problem) noexcept {
  count_revocation(r, received_other_kind, Received::refused);
  log_refusal(r, ReceivedKind::form, problem);
  return send_error(r, oauth_names, "invalid_request", problem);
}

ngx_int_t refuse_event(ngx_http_request_t *r, ReceivedKind kind, oauth::EventError error,
                       const char *problem) noexcept {
  count_revocation(r, counted_kind(kind), Received::refused);
  log_refusal(r, kind, problem);
  return kind == ReceivedKind::logout_token ? send_error(r, oauth_names, "invalid_request", problem)
                                            : send_error(r, event_names, oauth::name(error), problem);
}

ngx_int_t answer_form(ngx_http_request_t *r, oauth::RevokedKind kind, Recorded recorded) noexcept {
  const bool is_recorded = recorded == Recorded::recorded;
  count_revocation(r, static_cast<std::size_t>(kind), is_recorded ? Received::revoked : Received::failed);
  return is_recorded ? send_empty(r, NGX_HTTP_OK) : ask_to_send_again(r, recorded);
}

ngx_int_t answer_event(ngx_http_request_t *r, ReceivedKind kind, Recorded recorded,
                       const oauth::EventResult &event) noexcept {
  const bool is_logout = kind == ReceivedKind::logout_token;
  if (recorded == Recorded::seen_before) {
    count_revocation(r, counted_kind(kind), Received::seen_before);
    constexpr const char *seen = "it has been seen before";
    log_refusal(r, kind, seen);
    return is_logout ? send_error(r, oauth_names, "invalid_request", seen) : send_empty(r, NGX_HTTP_ACCEPTED);
  }
  if (recorded != Recorded::recorded) {
    note_failure(r, kind);
    return ask_to_send_again(r, recorded);
  }
  if (event.unknown != nullptr) {
    count_revocation(r, counted_kind(kind), Received::unknown);
  }
  if (event.first != nullptr) {
    count_revocation(r, counted_kind(kind), Received::revoked);
  }
  if (is_logout && !push_no_store(r)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return send_empty(r, is_logout ? NGX_HTTP_OK : NGX_HTTP_ACCEPTED);
}

void note_failure(const ngx_http_request_t *r, ReceivedKind kind) noexcept {
  count_revocation(r, counted_kind(kind), Received::failed);
}

bool push_retry_after(ngx_http_request_t *r) noexcept {
  return push_header(r, "Retry-After", "10") != nullptr;
}

void log_revocations(const ngx_http_request_t *r, ReceivedKind kind, const oauth::EventRevocation *revocations,
                     const char *unknown) noexcept {
  const ngx_str_t name = display_name(core_location_of(r));
  for (const oauth::EventRevocation *item = revocations; item != nullptr; item = item->next) {
    const ngx_str_t revoked = to_ngx_str(oauth::name(item->revocation.kind));
    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0, "phantom token: a %V is revoked by %s, location \"%V\"",
                  &revoked, in_words(kind), &name);
  }
  if (unknown != nullptr) {
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "phantom token: %s revokes nothing by what is not known here: %s, location \"%V\"", in_words(kind),
                  unknown, &name);
  }
}

}  // namespace gateway
