#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Takes what the request to a location with phantom_token_revoke revokes, and answers it. In the precontent phase, as
/// the mirror module reads bodies there: a request may have to wait for the keys that an event token is signed with,
/// and only a phase's handler is called again.
ngx_int_t take_revocation(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
