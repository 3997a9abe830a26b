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


static ngx_command_t  phantom_token_commands[] = {

    { ngx_string("phantom_token"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_FLAG,
      phantom_token_set_enabled,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, enabled),
      NULL },

    { ngx_string("phantom_token_introspection_endpoint"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, introspection_endpoint),
      NULL },

    { ngx_string("phantom_token_realm"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_realm,
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
      ngx_conf_set_enum_slot,
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
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, leeway),
      NULL },

    { ngx_string("phantom_token_jwt_member"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_1MORE,
      phantom_token_set_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, jwt_members),
      NULL },

    { ngx_string("phantom_token_max_response_size"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      phantom_token_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, max_response_size),
      NULL },

    { ngx_string("phantom_token_stale"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, stale),
      NULL },

    { ngx_string("phantom_token_confirmation"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, pass_sender_constrained),
      &phantom_token_confirmations },

    { ngx_string("phantom_token_error_format"),
      PHANTOM_TOKEN_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(phantom_token_location_t, error_format),
      &phantom_token_error_formats },

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
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
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
     *     plcf->enabled_at = { { 0, NULL }, 0 };
     *     plcf->endpoint_at = { { 0, NULL }, 0 };
     *     plcf->scopes = NULL;
     *     plcf->policy = NULL;
     *     plcf->serves_introspection = 0;
     *     plcf->shares_cache_zone = 0;
     */

    plcf->enabled = NGX_CONF_UNSET;
    plcf->introspection_endpoint = NGX_CONF_UNSET_PTR;
    plcf->scopes_line = NGX_CONF_UNSET_PTR;
    plcf->scope_lines = NGX_CONF_UNSET_PTR;
    plcf->scope_match = NGX_CONF_UNSET_UINT;
    plcf->issuers = NGX_CONF_UNSET_PTR;
    plcf->audiences = NGX_CONF_UNSET_PTR;
    plcf->leeway = NGX_CONF_UNSET;
    plcf->jwt_members = NGX_CONF_UNSET_PTR;
    plcf->max_response_size = NGX_CONF_UNSET_SIZE;
    plcf->stale = NGX_CONF_UNSET;
    plcf->pass_sender_constrained = NGX_CONF_UNSET_UINT;
    plcf->error_format = NGX_CONF_UNSET_UINT;

    return plcf;
}


static char *
phantom_token_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    phantom_token_location_t  *prev = parent;
    phantom_token_location_t  *conf = child;

    if (conf->enabled == NGX_CONF_UNSET) {
        conf->enabled_at = prev->enabled_at;
    }

    if (conf->introspection_endpoint == NGX_CONF_UNSET_PTR) {
        conf->endpoint_at = prev->endpoint_at;
    }

    ngx_conf_merge_value(conf->enabled, prev->enabled, 0);
    ngx_conf_merge_ptr_value(conf->introspection_endpoint,
                             prev->introspection_endpoint, NULL);
    ngx_conf_merge_str_value(conf->realm, prev->realm, "api");
    ngx_conf_merge_uint_value(conf->scope_match, prev->scope_match, 0);
    ngx_conf_merge_ptr_value(conf->issuers, prev->issuers, NULL);
    ngx_conf_merge_ptr_value(conf->audiences, prev->audiences, NULL);
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 0);
    ngx_conf_merge_ptr_value(conf->jwt_members, prev->jwt_members, NULL);
    ngx_conf_merge_size_value(conf->max_response_size,
                              prev->max_response_size, 65536);
    ngx_conf_merge_value(conf->stale, prev->stale, 0);
    ngx_conf_merge_uint_value(conf->pass_sender_constrained,
                              prev->pass_sender_constrained, 0);
    ngx_conf_merge_uint_value(conf->error_format, prev->error_format,
                              PHANTOM_TOKEN_ERROR_JSON);

    return phantom_token_finish_merge(cf, prev, conf);
}
