#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/jwt.h"
#include "../jose/memory.h"
#include "../jose/strings.h"
#include "revocation.h"

namespace oauth {

/// What an event token must be: a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6) or a security event
/// token (RFC 8417, pushed by RFC 8935).
struct EventRequirements {
  jose::Strings issuers;
  jose::Strings audiences;
  std::int64_t keep = 0;    ///< seconds: `iat` must be younger
  std::int64_t leeway = 0;  ///< seconds
};

enum class EventKind : std::uint8_t { logout_token, security_event };

/// Why an event token is refused, as RFC 8935 section 2.4 tells senders.
enum class EventError : std::uint8_t { none, invalid_request, invalid_key, invalid_issuer, invalid_audience };

/// @return the error code of RFC 8935 section 2.4. Not for `none`.
std::string_view name(EventError error) noexcept;

struct EventRevocation {
  Revocation revocation;
  const EventRevocation *next = nullptr;
};

struct EventResult {
  EventError error = EventError::invalid_request;
  const char *problem = nullptr;  ///< a constant that says why it is refused; nullptr where it is not
  std::string_view issuer;        ///< with `jti`, what the token is known by: it counts once
  std::string_view jti;
  std::int64_t iat = 0;
  const EventRevocation *first = nullptr;
  const char *unknown = nullptr;  ///< a constant that says what in it is valid, but unknown, and so revokes nothing
};

/// Reads what an event token says. Its signature is for the caller to verify, before the result counts. The problem
/// tells where memory has run out.
/// @param now seconds since the epoch.
EventResult read_event(EventKind kind, const jose::Jwt &jwt, const EventRequirements &requirements, std::int64_t now,
                       jose::Memory &memory) noexcept;

}  // namespace oauth
