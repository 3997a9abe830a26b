#pragma once

#include <string_view>

#include "../../oauth/security_event.h"
#include "../../oauth/token_information.h"
#include "../configuration/module_configuration.h"
#include "revocation_line.h"

namespace gateway {

enum class Revoked : std::uint8_t { no, yes, unknown };

/// Looks up whether a token is revoked, by its text or by one of its claims.
/// @param zone declared by phantom_token_revocation.
/// @return unknown where OpenSSL fails.
Revoked find_revoked(const ngx_shm_zone_t &zone, std::string_view token,
                     const oauth::TokenInformation &information) noexcept;

/// What one request revokes.
struct RevocationOrder {
  const oauth::EventRevocation *revocations = nullptr;  ///< a list; nullptr: nothing

  /// The token that says so, which counts once; its kind is 0 where there is none.
  std::uint32_t event_kind = 0;
  std::string_view event_issuer;
  std::string_view jti;
  std::int64_t iat = 0;
};

enum class Recorded : std::uint8_t {
  recorded,
  seen_before,  ///< the event token has been recorded before
  full,         ///< the zone has no room: nothing is recorded
  closed,       ///< a reload is giving the zone another size: nothing is recorded
  unwritten,    ///< it holds in the zone, and the state file could not be written
  failed,       ///< no memory, or OpenSSL failed
};

/// Records what is revoked, in the zone and in its state file. What is not recorded may be ordered again.
/// @return what has come of it; full, closed and unwritten have been logged.
Recorded record_revocations(const ngx_http_request_t *r, const ngx_shm_zone_t &zone,
                            const RevocationOrder &order) noexcept;

struct RevocationUse {
  ngx_uint_t entries[record_kind_count];  ///< by kind; some may have ended
  ngx_uint_t capacity;
};

RevocationUse revocation_use(const ngx_shm_zone_t &zone) noexcept;

}  // namespace gateway
