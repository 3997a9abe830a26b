#pragma once

#include "../jose/json.h"
#include "revocation.h"

namespace oauth {

/// Whom or what a security event is about.
struct EventSubject {
  const char *problem = nullptr;  ///< a constant that says why it is not valid; nullptr where it is
  bool is_known = false;          ///< false: it is valid, and of a format that names nothing a token has
  Revocation revocation;          ///< without `before`, where it is known
};

/// Reads a subject identifier: `iss_sub` of RFC 9493 section 3.2.4, `jwt_id` and `complex` of the OpenID Shared Signals
/// Framework 1.0 sections 3.2 and 3.5. Of a complex one the session counts, else the user.
EventSubject read_event_subject(const jose::JsonValue &subject) noexcept;

}  // namespace oauth
