#include "policy.h"

#include <string_view>

#include "../../jose/digest.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../oauth/exchange.h"
#include "../../oauth/form.h"
#include "module_configuration.h"
#include "pool_memory.h"
#include "private_key.h"

namespace gateway {
namespace {

constexpr std::string_view default_dpop_algorithms[] = {"ES256", "ES384", "ES512",   "PS256", "PS384",
                                                        "PS512", "EdDSA", "Ed25519", "RS256"};
constexpr std::string_view default_jwt_members[] = {"jwt", "phantom_token", "token_string"};

/// @param strings set where the result is true.
bool read_strings(ngx_pool_t *pool, const ngx_array_t *array, jose::Strings &strings) noexcept {
  if (array == nullptr || array->nelts == 0) {
    strings = {};
    return true;
  }

  auto *views = static_cast<std::string_view *>(ngx_palloc(pool, array->nelts * sizeof(std::string_view)));
  if (views == nullptr) {
    return false;
  }
  const auto *elements = static_cast<const ngx_str_t *>(array->elts);
  for (ngx_uint_t i = 0; i < array->nelts; i++) {
    new (&views[i]) std::string_view(to_view(elements[i]));
  }
  strings = {views, array->nelts};
  return true;
}

constexpr std::string_view introspection_body_prefix = "token=";

/// RFC 7662 section 2.1: the hint is optional, and some servers take it for a restriction.
void put_type_hint(jose::Writer &writer, std::string_view hint) noexcept {
  if (!jose::equal_ignoring_case(hint, "off")) {
    writer.put("&token_type_hint=");
    oauth::put_form_encoded(writer, hint);
  }
}

void read_statuses(const ngx_array_t *array, oauth::InactiveStatuses &statuses) noexcept {
  for (ngx_uint_t i = 0; array != nullptr && i < array->nelts; i++) {
    statuses.add(static_cast<unsigned>(static_cast<const ngx_uint_t *>(array->elts)[i]));
  }
}

oauth::ClientCredentials client_credentials(const phantom_token_location_t &location) noexcept {
  return {to_view(location.client_id), to_view(location.client_secret), client_authentication(location)};
}

oauth::ClientAssertionTemplate client_assertion(const phantom_token_location_t &location,
                                                const oauth::ClientCredentials &credentials) noexcept {
  oauth::ClientAssertionTemplate assertion;
  assertion.client_id = credentials.id;
  assertion.audience = client_assertion_audience(location);
  if (credentials.method == oauth::ClientAuthentication::client_secret_jwt) {
    assertion.signer.secret = credentials.secret;
  } else if (location.client_key != nullptr) {
    assertion.signer = {location.client_key->algorithm, location.client_key->key.key, {}};
    assertion.kid = location.client_key->kid;
  }
  return assertion;
}

void put_parts(jose::Writer &writer, std::string_view name, const jose::Strings &values) noexcept {
  for (const std::string_view value : values) {
    jose::put_part(writer, name);
    jose::put_part(writer, value);
  }
}

/// What every cache key begins with.
/// @param way how the token is treated.
void put_way(jose::Writer &writer, std::string_view way, const oauth::ClientCredentials &credentials) noexcept {
  jose::put_part(writer, way);
  jose::put_part(writer, credentials.id);
  jose::put_part(writer, oauth::name(credentials.method));
}

constexpr std::string_view media_type_of_jwt = "application/jwt";

/// Where the API gets no JWT of the authorization server, every server will do that has RFC 7662.
bool asks_for_jwt(const phantom_token_location_t &location) noexcept {
  return location.exchange_endpoint == nullptr && location.forward == PHANTOM_TOKEN_FORWARD_JWT;
}

/// Introspection or exchange, the client, and all exchange parameters; what is asked for, where that is not a JWT.
bool begin_cache_key(jose::Memory &memory, const oauth::ClientCredentials &credentials,
                     const oauth::ExchangeParameters &exchange, TokenRequestTemplate &token_request) noexcept {
  const auto describe = [&](jose::Writer &writer) {
    put_way(writer, token_request.is_exchange ? "exchange" : "introspection", credentials);
    if (!token_request.is_exchange && token_request.accept != media_type_of_jwt) {
      jose::put_part(writer, "accept");
      jose::put_part(writer, token_request.accept);
    }
    if (token_request.is_exchange) {
      jose::put_part(writer, "scope");
      jose::put_part(writer, exchange.scope);
      jose::put_part(writer, "requested_token_type");
      jose::put_part(writer, exchange.requested_token_type);
      put_parts(writer, "audience", exchange.audiences);
      put_parts(writer, "resource", exchange.resources);
    }
  };
  return jose::write_text(memory, describe, token_request.cache_key_begin);
}

/// The same for a client's own JWT that is verified here or passed on, so that no authorization server is asked: which
/// of the two it is, and the client, as in every key.
bool begin_client_jwt_cache_key(jose::Memory &memory, ngx_uint_t inbound_jwt,
                                const oauth::ClientCredentials &credentials,
                                TokenRequestTemplate &token_request) noexcept {
  const bool is_verified = inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY;
  if (!is_verified && inbound_jwt != PHANTOM_TOKEN_INBOUND_PASS) {
    return true;
  }
  const auto describe = [&](jose::Writer &writer) { put_way(writer, is_verified ? "verify" : "pass", credentials); };
  return jose::write_text(memory, describe, token_request.client_jwt_cache_key_begin);
}

bool make_authentication_requirements(ngx_pool_t *pool, const phantom_token_location_t &location,
                                      phantom_token_policy_t &policy) noexcept {
  policy.requirements.max_auth_age = location.max_auth_age;
  if (location.max_auth_age != oauth::Requirements::any_age) {
    auto *text = static_cast<u_char *>(ngx_pnalloc(pool, NGX_TIME_T_LEN));
    if (text == nullptr) {
      return false;
    }
    const u_char *end = ngx_sprintf(text, "%T", location.max_auth_age);
    policy.max_auth_age = to_view({static_cast<size_t>(end - text), text});
  }
  return read_strings(pool, location.acr_values, policy.requirements.acr_values);
}

oauth::Confirmation confirmation_of(const phantom_token_location_t &location) noexcept {
  switch (location.confirmation) {
    case PHANTOM_TOKEN_CONFIRMATION_PASS:
      return oauth::Confirmation::pass;
    case PHANTOM_TOKEN_CONFIRMATION_VERIFY:
      return oauth::Confirmation::verify;
    case PHANTOM_TOKEN_CONFIRMATION_REQUIRE:
      return oauth::Confirmation::require;
    default:
      return oauth::Confirmation::refuse;
  }
}

bool make_confirmation(ngx_pool_t *pool, const phantom_token_location_t &location,
                       phantom_token_policy_t &policy) noexcept {
  policy.requirements.confirmation = confirmation_of(location);
  oauth::DpopRequirements &dpop = policy.dpop;
  dpop.max_age = location.dpop_max_age;
  dpop.leeway = location.leeway;
  if (location.dpop_nonce != nullptr) {
    dpop.nonces = {to_view(location.dpop_nonce->secret), location.dpop_nonce->time};
  }
  if (!read_strings(pool, location.dpop_algorithms, dpop.algorithms)) {
    return false;
  }
  if (dpop.algorithms.empty()) {
    dpop.algorithms = {default_dpop_algorithms, std::size(default_dpop_algorithms)};
  }
  return true;
}

bool make_signing(ngx_pool_t *pool, const phantom_token_location_t &location, phantom_token_policy_t &policy) noexcept {
  PoolMemory memory(pool);
  oauth::SignedJwtTemplate &jwt = policy.signing.jwt;
  jwt.jwt_members = policy.jwt_members;
  jwt.is_exchange = policy.token_request.is_exchange;
  return read_strings(pool, location.signed_audiences, jwt.audiences) &&
         read_strings(pool, location.signed_claims, jwt.claims) &&
         make_signing_settings(location, memory, policy.signing);
}

bool make_token_request(ngx_pool_t *pool, const phantom_token_location_t &location,
                        TokenRequestTemplate &token_request) noexcept {
  const oauth::ClientCredentials credentials = client_credentials(location);
  oauth::ExchangeParameters exchange;
  exchange.scope = to_view(location.exchange_scope);
  exchange.requested_token_type = to_view(location.exchange_requested_token_type);
  if (!read_strings(pool, location.exchange_audiences, exchange.audiences) ||
      !read_strings(pool, location.exchange_resources, exchange.resources)) {
    return false;
  }

  token_request.is_exchange = location.exchange_endpoint != nullptr;
  token_request.endpoint = token_request.is_exchange ? location.exchange_endpoint : location.introspection_endpoint;
  // One media type and no list: Keycloak compares the whole header with it.
  token_request.accept = asks_for_jwt(location) ? media_type_of_jwt : "application/json";
  token_request.body_prefix = token_request.is_exchange ? oauth::exchange_body_prefix : introspection_body_prefix;
  token_request.has_client_assertion = !credentials.id.empty() && oauth::uses_assertion(credentials.method);
  token_request.client_assertion = client_assertion(location, credentials);
  token_request.body_has_secret = token_request.has_client_assertion ||
                                  (!credentials.id.empty() && credentials.method == oauth::ClientAuthentication::post);

  PoolMemory memory(pool);
  const auto describe_suffix = [&](jose::Writer &writer) {
    if (token_request.is_exchange) {
      oauth::put_exchange_parameters(writer, exchange);
    } else {
      put_type_hint(writer, to_view(location.type_hint));
    }
    oauth::put_client_parameters(writer, credentials);
  };
  return jose::write_text(memory, describe_suffix, token_request.body_suffix) &&
         oauth::write_basic_authorization(credentials, memory, token_request.authorization) &&
         begin_cache_key(memory, credentials, exchange, token_request) &&
         begin_client_jwt_cache_key(memory, location.inbound_jwt, credentials, token_request);
}

}  // namespace

oauth::ClientAuthentication client_authentication(const phantom_token_location_t &location) noexcept {
  switch (location.client_auth) {
    case PHANTOM_TOKEN_CLIENT_AUTH_BASIC_RAW:
      return oauth::ClientAuthentication::basic_raw;
    case PHANTOM_TOKEN_CLIENT_AUTH_POST:
      return oauth::ClientAuthentication::post;
    case PHANTOM_TOKEN_CLIENT_AUTH_CLIENT_SECRET_JWT:
      return oauth::ClientAuthentication::client_secret_jwt;
    case PHANTOM_TOKEN_CLIENT_AUTH_PRIVATE_KEY_JWT:
      return oauth::ClientAuthentication::private_key_jwt;
    case PHANTOM_TOKEN_CLIENT_AUTH_NONE:
      return oauth::ClientAuthentication::none;
    default:
      return oauth::ClientAuthentication::basic;
  }
}

std::string_view client_assertion_audience(const phantom_token_location_t &location) noexcept {
  if (location.client_assertion_audience.len != 0) {
    return to_view(location.client_assertion_audience);
  }
  const ngx_array_t *issuers = location.issuers;
  return issuers != nullptr && issuers->nelts == 1 ? to_view(*static_cast<const ngx_str_t *>(issuers->elts))
                                                   : std::string_view();
}

phantom_token_policy_t *make_policy(ngx_pool_t *pool, const phantom_token_location_t &location) noexcept {
  auto *policy = make<phantom_token_policy_t>(pool);
  if (policy == nullptr || !read_strings(pool, location.scopes, policy->requirements.scopes) ||
      !read_strings(pool, location.issuers, policy->requirements.issuers) ||
      !read_strings(pool, location.audiences, policy->requirements.audiences) ||
      !make_authentication_requirements(pool, location, *policy) || !make_confirmation(pool, location, *policy) ||
      !read_strings(pool, location.jwt_members, policy->jwt_members) ||
      !read_strings(pool, location.authorization_servers, policy->authorization_servers) ||
      !make_token_request(pool, location, policy->token_request)) {
    return nullptr;
  }

  if (policy->jwt_members.empty()) {
    policy->jwt_members = {default_jwt_members, std::size(default_jwt_members)};
  }
  policy->token_syntax = location.token_syntax == PHANTOM_TOKEN_SYNTAX_VISIBLE ? oauth::TokenSyntax::visible
                                                                               : oauth::TokenSyntax::b64token;
  read_statuses(location.inactive_statuses, policy->inactive_statuses);
  policy->requirements.scope_match = location.scope_match == 0 ? oauth::ScopeMatch::all : oauth::ScopeMatch::any;
  policy->requirements.leeway = location.leeway;
  policy->requested_token_type = to_view(location.exchange_requested_token_type);
  return make_signing(pool, location, *policy) ? policy : nullptr;
}

}  // namespace gateway
