#pragma once

#include "../cache/revocations.h"

namespace gateway {

/// What has come to phantom_token_revoke.
enum class ReceivedKind : std::uint8_t { form, logout_token, security_event };

/// Each of these answers the request, logs and counts.
/// @return what the phase handler is to return.

ngx_int_t refuse_form(ngx_http_request_t *r, const char *problem) noexcept;

ngx_int_t refuse_event(ngx_http_request_t *r, ReceivedKind kind, oauth::EventError error, const char *problem) noexcept;

ngx_int_t answer_form(ngx_http_request_t *r, oauth::RevokedKind kind, Recorded recorded) noexcept;

ngx_int_t answer_event(ngx_http_request_t *r, ReceivedKind kind, Recorded recorded,
                       const oauth::EventResult &event) noexcept;

/// Counts an event token that could not be verified, and is not to blame.
void note_failure(const ngx_http_request_t *r, ReceivedKind kind) noexcept;

/// @return false where there is no memory.
bool push_retry_after(ngx_http_request_t *r) noexcept;

/// @param unknown what revokes nothing, or nullptr.
void log_revocations(const ngx_http_request_t *r, ReceivedKind kind, const oauth::EventRevocation *revocations,
                     const char *unknown) noexcept;

}  // namespace gateway
