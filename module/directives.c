/*
 * The directives: a row in the table of commands says how a directive is
 * written and who reads it, a row in the table of defaults what its field is
 * where it is not written.
 */

#include "directives.h"


#define PHANTOM_TOKEN_ANYWHERE                                                \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF


ngx_command_t  phantom_token_commands[] = {

    { ngx_string("phantom_token"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_enabled,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, enabled),
      phantom_token_words },

    { ngx_string("phantom_token_introspection_endpoint"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_introspection_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, introspection_endpoint),
      NULL },

    { ngx_string("phantom_token_realm"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_text,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, realm),
      NULL },

    { ngx_string("phantom_token_scopes"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_scopes,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, scopes_line),
      NULL },

    { ngx_string("phantom_token_scope"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_add_scope,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, scope_lines),
      NULL },

    { ngx_string("phantom_token_scope_match"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, scope_match),
      phantom_token_scope_match_words },

    { ngx_string("phantom_token_issuer"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_set_strings,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, issuers),
      NULL },

    { ngx_string("phantom_token_audience"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_set_strings,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, audiences),
      NULL },

    { ngx_string("phantom_token_leeway"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_seconds,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, leeway),
      NULL },

    { ngx_string("phantom_token_jwt_member"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_set_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, jwt_members),
      NULL },

    { ngx_string("phantom_token_syntax"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, token_syntax),
      phantom_token_syntax_words },

    { ngx_string("phantom_token_type_hint"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_type_hint,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, type_hint),
      NULL },

    { ngx_string("phantom_token_inactive_status"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_set_inactive_statuses,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, inactive_statuses),
      NULL },

    { ngx_string("phantom_token_max_response_size"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, max_response_size),
      NULL },

    { ngx_string("phantom_token_response_timeout"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_milliseconds,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, response_timeout),
      NULL },

    { ngx_string("phantom_token_stale"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, stale),
      NULL },

    { ngx_string("phantom_token_confirmation"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, pass_sender_constrained),
      phantom_token_confirmation_words },

    { ngx_string("phantom_token_error_format"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, error_format),
      phantom_token_error_format_words },

    { ngx_string("phantom_token_exchange_endpoint"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_exchange_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, exchange_endpoint),
      NULL },

    { ngx_string("phantom_token_exchange_audience"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_add_strings,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, exchange_audiences),
      NULL },

    { ngx_string("phantom_token_exchange_resource"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_add_strings,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, exchange_resources),
      NULL },

    { ngx_string("phantom_token_exchange_scope"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_exchange_scope,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, exchange_scope),
      NULL },

    { ngx_string("phantom_token_exchange_requested_token_type"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_text,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, exchange_requested_token_type),
      NULL },

    { ngx_string("phantom_token_client_id"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_text,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, client_id),
      NULL },

    { ngx_string("phantom_token_client_secret_file"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_secret_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, client_secret),
      NULL },

    { ngx_string("phantom_token_client_auth"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, client_auth),
      phantom_token_client_auth_words },

    { ngx_string("phantom_token_client_key"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE123,
      phantom_token_set_client_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, client_key),
      NULL },

    { ngx_string("phantom_token_client_assertion_audience"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_text,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, client_assertion_audience),
      NULL },

    { ngx_string("phantom_token_inbound_jwt"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, inbound_jwt),
      phantom_token_inbound_jwt_words },

    { ngx_string("phantom_token_jwks_endpoint"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_jwks_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, jwks_endpoint),
      NULL },

    { ngx_string("phantom_token_verify_jwt"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, verify_jwt),
      NULL },

    { ngx_string("phantom_token_preflight"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, preflight),
      phantom_token_preflight_words },

    { ngx_string("phantom_token_resource_metadata"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, resource_metadata),
      NULL },

    { ngx_string("phantom_token_hot_cache"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE12,
      phantom_token_set_hot_cache,
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


/*
 * phantom_token_scopes and phantom_token_scope have none: which of their lists
 * counts is found in src/gateway/configuration/merge.cpp.
 */

phantom_token_default_t  phantom_token_defaults[] = {
    phantom_token_word(enabled, PHANTOM_TOKEN_OFF),
    phantom_token_position(enabled_at),
    phantom_token_null(introspection_endpoint),
    phantom_token_position(introspection_endpoint_at),
    phantom_token_str(realm, "api"),
    phantom_token_word(scope_match, 0),
    phantom_token_null(issuers),
    phantom_token_null(audiences),
    phantom_token_sec(leeway, 0),
    phantom_token_null(jwt_members),
    phantom_token_word(token_syntax, PHANTOM_TOKEN_SYNTAX_B64TOKEN),
    phantom_token_str(type_hint, "access_token"),
    phantom_token_null(inactive_statuses),
    phantom_token_size(max_response_size, 65536),
    phantom_token_msec(response_timeout, 60000),
    phantom_token_flag(stale, 0),
    phantom_token_word(pass_sender_constrained, 0),
    phantom_token_word(error_format, PHANTOM_TOKEN_ERROR_JSON),
    phantom_token_null(exchange_endpoint),
    phantom_token_position(exchange_endpoint_at),
    phantom_token_null(exchange_audiences),
    phantom_token_null(exchange_resources),
    phantom_token_str(exchange_scope, ""),
    phantom_token_str(exchange_requested_token_type,
                      "urn:ietf:params:oauth:token-type:jwt"),
    phantom_token_str(client_id, ""),
    phantom_token_str(client_secret, ""),
    phantom_token_word(client_auth, PHANTOM_TOKEN_CLIENT_AUTH_BASIC),
    phantom_token_null(client_key),
    phantom_token_str(client_assertion_audience, ""),
    phantom_token_word(inbound_jwt, PHANTOM_TOKEN_INBOUND_INTROSPECT),
    phantom_token_null(jwks_endpoint),
    phantom_token_position(jwks_endpoint_at),
    phantom_token_flag(verify_jwt, 0),
    phantom_token_word(preflight, PHANTOM_TOKEN_PREFLIGHT_PASS),
    phantom_token_null(resource_metadata),
    phantom_token_null(hot_cache),
    phantom_token_position(hot_cache_at),

    phantom_token_end
};
