/*
 * The table of defaults, and how a location's configuration is made and merged
 * by it, as nginx's own macros do it.
 */

#include "directives.h"


static void phantom_token_unset(u_char *field, phantom_token_kind_e kind);
static void phantom_token_merge(u_char *field, u_char *outer,
    phantom_token_default_t *value);
static void phantom_token_merge_str(ngx_str_t *field, ngx_str_t *outer,
    ngx_str_t *value);
static void phantom_token_merge_position(phantom_token_position_t *field,
    phantom_token_position_t *outer);


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
    phantom_token_null(sources),
    phantom_token_null(pattern),
    phantom_token_word(token_syntax, PHANTOM_TOKEN_SYNTAX_B64TOKEN),
    phantom_token_str(type_hint, "access_token"),
    phantom_token_null(inactive_statuses),
    phantom_token_size(max_response_size, 65536),
    phantom_token_msec(response_timeout, 60000),
    phantom_token_flag(stale, 0),
    phantom_token_word(confirmation, PHANTOM_TOKEN_CONFIRMATION_REFUSE),
    phantom_token_null(dpop_uri),
    phantom_token_sec(dpop_max_age, 60),
    phantom_token_null(dpop_algorithms),
    phantom_token_null(dpop_nonce),
    phantom_token_null(client_certificate),
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
    phantom_token_word(forward, PHANTOM_TOKEN_FORWARD_JWT),
    phantom_token_null(signing_keys),
    phantom_token_str(signed_issuer, ""),
    phantom_token_null(signed_audiences),
    phantom_token_sec(signed_lifetime, 300),
    phantom_token_null(signed_claims),
    phantom_token_word(inbound_jwt, PHANTOM_TOKEN_INBOUND_INTROSPECT),
    phantom_token_null(jwks_endpoint),
    phantom_token_position(jwks_endpoint_at),
    phantom_token_flag(verify_jwt, 0),
    phantom_token_word(preflight, PHANTOM_TOKEN_PREFLIGHT_PASS),
    phantom_token_null(acr_values),
    phantom_token_sec(max_auth_age, -1),
    phantom_token_null(required_values),
    phantom_token_null(resource_metadata),
    phantom_token_null(resource),
    phantom_token_null(hot_cache),
    phantom_token_position(hot_cache_at),
    phantom_token_null(revocation),
    phantom_token_position(revocation_at),
    phantom_token_null(dpop_replay),
    phantom_token_position(dpop_replay_at),

    phantom_token_end
};


void *
phantom_token_create_loc_conf(ngx_conf_t *cf)
{
    u_char                   *plcf;
    phantom_token_default_t  *value;

    /* zero is what a string, a position and all that has no directive need */

    plcf = ngx_pcalloc(cf->pool, sizeof(phantom_token_location_t));
    if (plcf == NULL) {
        return NULL;
    }

    for (value = phantom_token_defaults; value->kind; value++) {
        phantom_token_unset(plcf + value->offset, value->kind);
    }

    return plcf;
}


char *
phantom_token_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    u_char                   *prev = parent;
    u_char                   *conf = child;
    phantom_token_default_t  *value;

    for (value = phantom_token_defaults; value->kind; value++) {
        phantom_token_merge(conf + value->offset, prev + value->offset, value);
    }

    return phantom_token_finish_merge(cf, parent, child);
}


static void
phantom_token_unset(u_char *field, phantom_token_kind_e kind)
{
    switch (kind) {

    case PHANTOM_TOKEN_FLAG:
        *(ngx_flag_t *) field = NGX_CONF_UNSET;
        break;

    case PHANTOM_TOKEN_WORD:
        *(ngx_uint_t *) field = NGX_CONF_UNSET_UINT;
        break;

    case PHANTOM_TOKEN_SEC:
        *(time_t *) field = NGX_CONF_UNSET;
        break;

    case PHANTOM_TOKEN_MSEC:
        *(ngx_msec_t *) field = NGX_CONF_UNSET_MSEC;
        break;

    case PHANTOM_TOKEN_SIZE:
        *(size_t *) field = NGX_CONF_UNSET_SIZE;
        break;

    case PHANTOM_TOKEN_PTR:
        *(void **) field = NGX_CONF_UNSET_PTR;
        break;

    case PHANTOM_TOKEN_STR:
    case PHANTOM_TOKEN_POSITION:
    case PHANTOM_TOKEN_END:
        break;
    }
}


static void
phantom_token_merge(u_char *field, u_char *outer,
    phantom_token_default_t *value)
{
    switch (value->kind) {

    case PHANTOM_TOKEN_FLAG:
        ngx_conf_merge_value(*(ngx_flag_t *) field, *(ngx_flag_t *) outer,
                             value->number);
        break;

    case PHANTOM_TOKEN_WORD:
        ngx_conf_merge_uint_value(*(ngx_uint_t *) field,
                                  *(ngx_uint_t *) outer,
                                  (ngx_uint_t) value->number);
        break;

    case PHANTOM_TOKEN_SEC:
        ngx_conf_merge_sec_value(*(time_t *) field, *(time_t *) outer,
                                 value->number);
        break;

    case PHANTOM_TOKEN_MSEC:
        ngx_conf_merge_msec_value(*(ngx_msec_t *) field,
                                  *(ngx_msec_t *) outer,
                                  (ngx_msec_t) value->number);
        break;

    case PHANTOM_TOKEN_SIZE:
        ngx_conf_merge_size_value(*(size_t *) field, *(size_t *) outer,
                                  (size_t) value->number);
        break;

    case PHANTOM_TOKEN_PTR:
        ngx_conf_merge_ptr_value(*(void **) field, *(void **) outer, NULL);
        break;

    case PHANTOM_TOKEN_STR:
        phantom_token_merge_str((ngx_str_t *) field, (ngx_str_t *) outer,
                                &value->text);
        break;

    case PHANTOM_TOKEN_POSITION:
        phantom_token_merge_position((phantom_token_position_t *) field,
                                     (phantom_token_position_t *) outer);
        break;

    case PHANTOM_TOKEN_END:
        break;
    }
}


/* ngx_conf_merge_str_value() takes a literal only */

static void
phantom_token_merge_str(ngx_str_t *field, ngx_str_t *outer, ngx_str_t *value)
{
    if (field->data == NULL) {
        *field = outer->data ? *outer : *value;
    }
}


static void
phantom_token_merge_position(phantom_token_position_t *field,
    phantom_token_position_t *outer)
{
    if (field->file.data == NULL) {
        *field = *outer;
    }
}
