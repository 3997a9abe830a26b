/*
 * The shim between nginx and the gateway: directives, configuration and the
 * module's definition.  What a directive does is in src/gateway.
 */

#include "../src/gateway/gateway.h"


static void *phantom_token_create_main_conf(ngx_conf_t *cf);
static void *phantom_token_create_srv_conf(ngx_conf_t *cf);
static void *phantom_token_create_loc_conf(ngx_conf_t *cf);
static char *phantom_token_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


#define PHANTOM_TOKEN_ANYWHERE                                                \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF


static ngx_conf_enum_t  phantom_token_enabled_words[] = {
    { ngx_string("on"), PHANTOM_TOKEN_ON },
    { ngx_string("off"), PHANTOM_TOKEN_OFF },
    { ngx_string("optional"), PHANTOM_TOKEN_OPTIONAL },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_syntaxes[] = {
    { ngx_string("b64token"), PHANTOM_TOKEN_SYNTAX_B64TOKEN },
    { ngx_string("visible"), PHANTOM_TOKEN_SYNTAX_VISIBLE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_scope_matches[] = {
    { ngx_string("all"), 0 },
    { ngx_string("any"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_confirmations[] = {
    { ngx_string("refuse"), 0 },
    { ngx_string("pass"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_error_formats[] = {
    { ngx_string("json"), PHANTOM_TOKEN_ERROR_JSON },
    { ngx_string("problem"), PHANTOM_TOKEN_ERROR_PROBLEM },
    { ngx_string("page"), PHANTOM_TOKEN_ERROR_PAGE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_client_auths[] = {
    { ngx_string("basic"), PHANTOM_TOKEN_CLIENT_AUTH_BASIC },
    { ngx_string("basic_raw"), PHANTOM_TOKEN_CLIENT_AUTH_BASIC_RAW },
    { ngx_string("post"), PHANTOM_TOKEN_CLIENT_AUTH_POST },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_inbound_jwts[] = {
    { ngx_string("introspect"), PHANTOM_TOKEN_INBOUND_INTROSPECT },
    { ngx_string("verify"), PHANTOM_TOKEN_INBOUND_VERIFY },
    { ngx_string("pass"), PHANTOM_TOKEN_INBOUND_PASS },
    { ngx_string("reject"), PHANTOM_TOKEN_INBOUND_REJECT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  phantom_token_preflights[] = {
    { ngx_string("pass"), PHANTOM_TOKEN_PREFLIGHT_PASS },
    { ngx_string("answer"), PHANTOM_TOKEN_PREFLIGHT_ANSWER },
    { ngx_string("protect"), PHANTOM_TOKEN_PREFLIGHT_PROTECT },
    { ngx_null_string, 0 }
};


static ngx_command_t  phantom_token_commands[] = {

    { ngx_string("phantom_token"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_enabled,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, enabled),
      &phantom_token_enabled_words },

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
      &phantom_token_scope_matches },

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
      &phantom_token_syntaxes },

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
      &phantom_token_confirmations },

    { ngx_string("phantom_token_error_format"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, error_format),
      &phantom_token_error_formats },

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
      &phantom_token_client_auths },

    { ngx_string("phantom_token_inbound_jwt"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_word,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, inbound_jwt),
      &phantom_token_inbound_jwts },

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
      &phantom_token_preflights },

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


static ngx_http_module_t  phantom_token_module_context = {
    phantom_token_preconfiguration,        /* preconfiguration */
    phantom_token_postconfiguration,       /* postconfiguration */

    phantom_token_create_main_conf,        /* create main configuration */
    NULL,                                  /* init main configuration */

    phantom_token_create_srv_conf,         /* create server configuration */
    NULL,                                  /* merge server configuration */

    phantom_token_create_loc_conf,         /* create location configuration */
    phantom_token_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_phantom_token_module = {
    NGX_MODULE_V1,
    &phantom_token_module_context,         /* module context */
    phantom_token_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    phantom_token_init_module,             /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    phantom_token_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
phantom_token_create_main_conf(ngx_conf_t *cf)
{
    phantom_token_main_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(phantom_token_main_t));
    if (pmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pmcf->blocks, cf->temp_pool, 16,
                       sizeof(phantom_token_block_t))
        != NGX_OK
        || ngx_array_init(&pmcf->hot_caches, cf->pool, 1,
                          sizeof(ngx_shm_zone_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return pmcf;
}


static void *
phantom_token_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(phantom_token_server_t));
}


static void *
phantom_token_create_loc_conf(ngx_conf_t *cf)
{
    phantom_token_location_t  *plcf;

    plcf = ngx_pcalloc(cf->pool, sizeof(phantom_token_location_t));
    if (plcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     plcf->realm = { 0, NULL };
     *     plcf->type_hint = { 0, NULL };
     *     plcf->exchange_scope = { 0, NULL };
     *     plcf->exchange_requested_token_type = { 0, NULL };
     *     plcf->client_id = { 0, NULL };
     *     plcf->client_secret = { 0, NULL };
     *     plcf->scopes = NULL;
     *     plcf->..._at = { { 0, NULL }, 0 };
     *     plcf->policy = NULL;
     *     plcf->enclosing_location = NULL;
     *     plcf->is_endpoint_location = 0;
     *     plcf->receives_tokens = 0;
     *     plcf->refuses_clients = 0;
     *     plcf->warned_of_name = 0;
     *     plcf->has_if = 0;
     *     plcf->shares_cache_zone = 0;
     *     plcf->caches_responses = 0;
     */

    plcf->enabled = NGX_CONF_UNSET_UINT;
    plcf->introspection_endpoint = NGX_CONF_UNSET_PTR;
    plcf->exchange_endpoint = NGX_CONF_UNSET_PTR;
    plcf->jwks_endpoint = NGX_CONF_UNSET_PTR;
    plcf->scopes_line = NGX_CONF_UNSET_PTR;
    plcf->scope_lines = NGX_CONF_UNSET_PTR;
    plcf->scope_match = NGX_CONF_UNSET_UINT;
    plcf->issuers = NGX_CONF_UNSET_PTR;
    plcf->audiences = NGX_CONF_UNSET_PTR;
    plcf->leeway = NGX_CONF_UNSET;
    plcf->jwt_members = NGX_CONF_UNSET_PTR;
    plcf->token_syntax = NGX_CONF_UNSET_UINT;
    plcf->inactive_statuses = NGX_CONF_UNSET_PTR;
    plcf->max_response_size = NGX_CONF_UNSET_SIZE;
    plcf->response_timeout = NGX_CONF_UNSET_MSEC;
    plcf->stale = NGX_CONF_UNSET;
    plcf->pass_sender_constrained = NGX_CONF_UNSET_UINT;
    plcf->error_format = NGX_CONF_UNSET_UINT;
    plcf->exchange_audiences = NGX_CONF_UNSET_PTR;
    plcf->exchange_resources = NGX_CONF_UNSET_PTR;
    plcf->client_auth = NGX_CONF_UNSET_UINT;
    plcf->inbound_jwt = NGX_CONF_UNSET_UINT;
    plcf->verify_jwt = NGX_CONF_UNSET;
    plcf->preflight = NGX_CONF_UNSET_UINT;
    plcf->resource_metadata = NGX_CONF_UNSET_PTR;
    plcf->hot_cache = NGX_CONF_UNSET_PTR;

    return plcf;
}


static char *
phantom_token_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    phantom_token_location_t  *prev = parent;
    phantom_token_location_t  *conf = child;

    if (conf->enabled == NGX_CONF_UNSET_UINT) {
        conf->enabled_at = prev->enabled_at;
    }

    if (conf->hot_cache == NGX_CONF_UNSET_PTR) {
        conf->hot_cache_at = prev->hot_cache_at;
    }

    /* a nearer endpoint replaces an inherited one of either kind */

    if (conf->introspection_endpoint == NGX_CONF_UNSET_PTR
        && conf->exchange_endpoint == NGX_CONF_UNSET_PTR)
    {
        conf->introspection_endpoint = prev->introspection_endpoint;
        conf->introspection_endpoint_at = prev->introspection_endpoint_at;
        conf->exchange_endpoint = prev->exchange_endpoint;
        conf->exchange_endpoint_at = prev->exchange_endpoint_at;
    }

    if (conf->jwks_endpoint == NGX_CONF_UNSET_PTR) {
        conf->jwks_endpoint_at = prev->jwks_endpoint_at;
    }

    ngx_conf_merge_uint_value(conf->enabled, prev->enabled,
                              PHANTOM_TOKEN_OFF);
    ngx_conf_init_ptr_value(conf->introspection_endpoint, NULL);
    ngx_conf_init_ptr_value(conf->exchange_endpoint, NULL);
    ngx_conf_merge_ptr_value(conf->jwks_endpoint, prev->jwks_endpoint, NULL);
    ngx_conf_merge_str_value(conf->realm, prev->realm, "api");
    ngx_conf_merge_uint_value(conf->scope_match, prev->scope_match, 0);
    ngx_conf_merge_ptr_value(conf->issuers, prev->issuers, NULL);
    ngx_conf_merge_ptr_value(conf->audiences, prev->audiences, NULL);
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 0);
    ngx_conf_merge_ptr_value(conf->jwt_members, prev->jwt_members, NULL);
    ngx_conf_merge_uint_value(conf->token_syntax, prev->token_syntax,
                              PHANTOM_TOKEN_SYNTAX_B64TOKEN);
    ngx_conf_merge_str_value(conf->type_hint, prev->type_hint,
                             "access_token");
    ngx_conf_merge_ptr_value(conf->inactive_statuses,
                             prev->inactive_statuses, NULL);
    ngx_conf_merge_size_value(conf->max_response_size,
                              prev->max_response_size, 65536);
    ngx_conf_merge_msec_value(conf->response_timeout,
                              prev->response_timeout, 60000);
    ngx_conf_merge_value(conf->stale, prev->stale, 0);
    ngx_conf_merge_uint_value(conf->pass_sender_constrained,
                              prev->pass_sender_constrained, 0);
    ngx_conf_merge_uint_value(conf->error_format, prev->error_format,
                              PHANTOM_TOKEN_ERROR_JSON);

    ngx_conf_merge_ptr_value(conf->exchange_audiences,
                             prev->exchange_audiences, NULL);
    ngx_conf_merge_ptr_value(conf->exchange_resources,
                             prev->exchange_resources, NULL);
    ngx_conf_merge_str_value(conf->exchange_scope, prev->exchange_scope, "");
    ngx_conf_merge_str_value(conf->exchange_requested_token_type,
                             prev->exchange_requested_token_type,
                             "urn:ietf:params:oauth:token-type:jwt");
    ngx_conf_merge_str_value(conf->client_id, prev->client_id, "");
    ngx_conf_merge_str_value(conf->client_secret, prev->client_secret, "");
    ngx_conf_merge_uint_value(conf->client_auth, prev->client_auth,
                              PHANTOM_TOKEN_CLIENT_AUTH_BASIC);
    ngx_conf_merge_uint_value(conf->inbound_jwt, prev->inbound_jwt,
                              PHANTOM_TOKEN_INBOUND_INTROSPECT);
    ngx_conf_merge_value(conf->verify_jwt, prev->verify_jwt, 0);
    ngx_conf_merge_uint_value(conf->preflight, prev->preflight,
                              PHANTOM_TOKEN_PREFLIGHT_PASS);
    ngx_conf_merge_ptr_value(conf->resource_metadata,
                             prev->resource_metadata, NULL);
    ngx_conf_merge_ptr_value(conf->hot_cache, prev->hot_cache, NULL);

    return phantom_token_finish_merge(cf, prev, conf);
}
