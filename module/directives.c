/*
 * The directives: how each is written, and who reads it.  What its field is
 * where it is not written is in defaults.c.
 */

#include "directives.h"


#define PHANTOM_TOKEN_ANYWHERE                                                \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF


/* A directive that may stand on every level, and has one field. */

#define phantom_token_directive(name, arguments, setter, field, post)         \
    { ngx_string(name),                                                       \
      PHANTOM_TOKEN_ANYWHERE|arguments,                                       \
      setter,                                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(phantom_token_location_t, field),                              \
      post }


ngx_command_t  phantom_token_commands[] = {

    phantom_token_directive("phantom_token", NGX_CONF_TAKE1,
        phantom_token_set_enabled, enabled, phantom_token_words),

    phantom_token_directive("phantom_token_introspection_endpoint",
        NGX_CONF_TAKE1,
        phantom_token_set_introspection_endpoint, introspection_endpoint,
        NULL),

    phantom_token_directive("phantom_token_realm", NGX_CONF_TAKE1,
        phantom_token_set_text, realm, NULL),

    phantom_token_directive("phantom_token_scopes", NGX_CONF_TAKE1,
        phantom_token_set_scopes, scopes_line, NULL),

    phantom_token_directive("phantom_token_scope", NGX_CONF_TAKE1,
        phantom_token_add_scope, scope_lines, NULL),

    phantom_token_directive("phantom_token_scope_match", NGX_CONF_TAKE1,
        phantom_token_set_word, scope_match, phantom_token_scope_match_words),

    phantom_token_directive("phantom_token_issuer", NGX_CONF_1MORE,
        phantom_token_set_strings, issuers, NULL),

    phantom_token_directive("phantom_token_audience", NGX_CONF_1MORE,
        phantom_token_set_strings, audiences, NULL),

    phantom_token_directive("phantom_token_leeway", NGX_CONF_TAKE1,
        phantom_token_set_seconds, leeway, NULL),

    phantom_token_directive("phantom_token_jwt_member", NGX_CONF_1MORE,
        phantom_token_set_names, jwt_members, NULL),

    phantom_token_directive("phantom_token_source", NGX_CONF_1MORE,
        phantom_token_set_sources, sources, NULL),

    phantom_token_directive("phantom_token_pattern", NGX_CONF_TAKE1,
        phantom_token_set_pattern, pattern, NULL),

    phantom_token_directive("phantom_token_syntax", NGX_CONF_TAKE1,
        phantom_token_set_word, token_syntax, phantom_token_syntax_words),

    phantom_token_directive("phantom_token_type_hint", NGX_CONF_TAKE1,
        phantom_token_set_type_hint, type_hint, NULL),

    phantom_token_directive("phantom_token_inactive_status", NGX_CONF_1MORE,
        phantom_token_set_inactive_statuses, inactive_statuses, NULL),

    phantom_token_directive("phantom_token_max_response_size", NGX_CONF_TAKE1,
        phantom_token_set_size, max_response_size, NULL),

    phantom_token_directive("phantom_token_response_timeout", NGX_CONF_TAKE1,
        phantom_token_set_milliseconds, response_timeout, NULL),

    phantom_token_directive("phantom_token_stale", NGX_CONF_FLAG,
        ngx_conf_set_flag_slot, stale, NULL),

    phantom_token_directive("phantom_token_confirmation", NGX_CONF_TAKE1,
        phantom_token_set_word, confirmation,
        phantom_token_confirmation_words),

    phantom_token_directive("phantom_token_dpop_uri", NGX_CONF_TAKE1,
        phantom_token_set_dpop_uri, dpop_uri, NULL),

    phantom_token_directive("phantom_token_dpop_max_age", NGX_CONF_TAKE1,
        phantom_token_set_lifetime, dpop_max_age, NULL),

    phantom_token_directive("phantom_token_dpop_algorithms", NGX_CONF_1MORE,
        phantom_token_set_dpop_algorithms, dpop_algorithms, NULL),

    phantom_token_directive("phantom_token_dpop_nonce", NGX_CONF_TAKE12,
        phantom_token_set_dpop_nonce, dpop_nonce, NULL),

    phantom_token_directive("phantom_token_client_certificate",
        NGX_CONF_TAKE1,
        phantom_token_set_client_certificate, client_certificate, NULL),

    phantom_token_directive("phantom_token_error_format", NGX_CONF_TAKE1,
        phantom_token_set_word, error_format,
        phantom_token_error_format_words),

    phantom_token_directive("phantom_token_exchange_endpoint", NGX_CONF_TAKE1,
        phantom_token_set_exchange_endpoint, exchange_endpoint, NULL),

    phantom_token_directive("phantom_token_exchange_audience", NGX_CONF_1MORE,
        phantom_token_add_strings, exchange_audiences, NULL),

    phantom_token_directive("phantom_token_exchange_resource", NGX_CONF_1MORE,
        phantom_token_add_strings, exchange_resources, NULL),

    phantom_token_directive("phantom_token_exchange_scope", NGX_CONF_TAKE1,
        phantom_token_set_exchange_scope, exchange_scope, NULL),

    phantom_token_directive("phantom_token_exchange_requested_token_type",
        NGX_CONF_TAKE1,
        phantom_token_set_text, exchange_requested_token_type, NULL),

    phantom_token_directive("phantom_token_client_id", NGX_CONF_TAKE1,
        phantom_token_set_text, client_id, NULL),

    phantom_token_directive("phantom_token_client_secret_file", NGX_CONF_TAKE1,
        phantom_token_set_secret_file, client_secret, NULL),

    phantom_token_directive("phantom_token_client_auth", NGX_CONF_TAKE1,
        phantom_token_set_word, client_auth, phantom_token_client_auth_words),

    phantom_token_directive("phantom_token_client_key", NGX_CONF_TAKE123,
        phantom_token_set_client_key, client_key, NULL),

    phantom_token_directive("phantom_token_client_assertion_audience",
        NGX_CONF_TAKE1,
        phantom_token_set_text, client_assertion_audience, NULL),

    phantom_token_directive("phantom_token_forward", NGX_CONF_TAKE1,
        phantom_token_set_word, forward, phantom_token_forward_words),

    phantom_token_directive("phantom_token_signing_key", NGX_CONF_TAKE123,
        phantom_token_add_signing_key, signing_keys, NULL),

    phantom_token_directive("phantom_token_signed_issuer", NGX_CONF_TAKE1,
        phantom_token_set_text, signed_issuer, NULL),

    phantom_token_directive("phantom_token_signed_audience", NGX_CONF_1MORE,
        phantom_token_set_strings, signed_audiences, NULL),

    phantom_token_directive("phantom_token_signed_lifetime", NGX_CONF_TAKE1,
        phantom_token_set_lifetime, signed_lifetime, NULL),

    phantom_token_directive("phantom_token_signed_claims", NGX_CONF_1MORE,
        phantom_token_set_signed_claims, signed_claims, NULL),

    phantom_token_directive("phantom_token_inbound_jwt", NGX_CONF_TAKE1,
        phantom_token_set_word, inbound_jwt, phantom_token_inbound_jwt_words),

    phantom_token_directive("phantom_token_jwks_endpoint", NGX_CONF_TAKE1,
        phantom_token_set_jwks_endpoint, jwks_endpoint, NULL),

    phantom_token_directive("phantom_token_verify_jwt", NGX_CONF_FLAG,
        ngx_conf_set_flag_slot, verify_jwt, NULL),

    phantom_token_directive("phantom_token_preflight", NGX_CONF_TAKE1,
        phantom_token_set_word, preflight, phantom_token_preflight_words),

    phantom_token_directive("phantom_token_acr_values", NGX_CONF_TAKE1,
        phantom_token_set_words, acr_values, NULL),

    phantom_token_directive("phantom_token_max_auth_age", NGX_CONF_TAKE1,
        phantom_token_set_max_auth_age, max_auth_age, NULL),

    { ngx_string("phantom_token_claim_set"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      phantom_token_add_claim_variable,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    phantom_token_directive("phantom_token_require", NGX_CONF_1MORE,
        phantom_token_add_required_values, required_values, NULL),

    phantom_token_directive("phantom_token_resource_metadata", NGX_CONF_TAKE1,
        ngx_http_set_complex_value_slot, resource_metadata, NULL),

    phantom_token_directive("phantom_token_resource", NGX_CONF_TAKE1,
        phantom_token_set_resource, resource, NULL),

    { ngx_string("phantom_token_resource_document"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      phantom_token_set_resource_document,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_hot_cache"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE12,
      phantom_token_set_hot_cache,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_revocation"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE123,
      phantom_token_set_revocation,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_dpop_replay"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE12,
      phantom_token_set_dpop_replay,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_revoke"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      phantom_token_set_revoke,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_jwks"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      phantom_token_set_jwks,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      phantom_token_set_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("phantom_token_client_credential"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_ANY,
      phantom_token_refuse_client_credential,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    ngx_null_command
};
