#pragma once

#include <string_view>

#include "../../jose/strings.h"
#include "../../oauth/bearer.h"
#include "../../oauth/client_assertion.h"
#include "../../oauth/client_authentication.h"
#include "../../oauth/decision.h"
#include "../../oauth/dpop_proof.h"
#include "../../oauth/response.h"
#include "module_configuration.h"
#include "signing.h"

namespace gateway {

/// How a location asks the authorization server about a token: worked out once, so that a request only fills in the
/// token.
struct TokenRequestTemplate {
  ngx_http_complex_value_t *endpoint = nullptr;  ///< nullptr where the location has none
  bool is_exchange = false;                      ///< RFC 8693, not introspection
  std::string_view accept;                       ///< header
  std::string_view authorization;                ///< header; empty: none is sent
  std::string_view body_prefix;                  ///< the form-encoded token comes behind it
  std::string_view body_suffix;
  bool body_has_secret = false;       ///< a client_secret, or a client_assertion behind the suffix
  bool has_client_assertion = false;  ///< one comes behind the suffix, new for each request
  oauth::ClientAssertionTemplate client_assertion;

  /// What the location adds to $phantom_token_key, as jose::put_part() puts it: hex_digest() goes on behind it.
  std::string_view cache_key_begin;

  /// The same for a client's own JWT under `phantom_token_inbound_jwt verify` and `pass`; else empty.
  std::string_view client_jwt_cache_key_begin;

  /// The same text, with all that a request for a token and the reading of its answer depend on beside it: two
  /// locations with one fingerprint would get the same from the same endpoint. Set by set_fingerprints().
  std::string_view fingerprint;
  uint32_t fingerprint_hash = 0;
};

}  // namespace gateway

/// What a location asks of a request, as views into the configuration.
struct phantom_token_policy_s {
  oauth::Requirements requirements;
  oauth::DpopRequirements dpop;
  std::string_view max_auth_age;  ///< of the requirements, in decimal for the challenge; empty where there is none
  oauth::TokenSyntax token_syntax = oauth::TokenSyntax::b64token;
  jose::Strings jwt_members;
  oauth::InactiveStatuses inactive_statuses;
  std::string_view requested_token_type;
  gateway::TokenRequestTemplate token_request;
  gateway::SigningSettings signing;
  jose::Strings authorization_servers;  ///< that phantom_token_resource_document names
};

namespace gateway {

oauth::ClientAuthentication client_authentication(const phantom_token_location_t &location) noexcept;

/// @return phantom_token_client_assertion_audience, else the only issuer; empty where neither is there.
std::string_view client_assertion_audience(const phantom_token_location_t &location) noexcept;

/// @return the policy of a merged location, in the configuration's pool; nullptr where there is no memory.
phantom_token_policy_t *make_policy(ngx_pool_t *pool, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
