/*
 * The shim between nginx and the gateway: the module's definition.  Beside it
 * are the directives and their defaults; what a directive does is in
 * src/gateway.
 */

#include "directives.h"


static void *phantom_token_create_main_conf(ngx_conf_t *cf);
static void *phantom_token_create_srv_conf(ngx_conf_t *cf);


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
    phantom_token_init_process,            /* init process */
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
           != NGX_OK
        || ngx_array_init(&pmcf->revocations, cf->pool, 1,
                          sizeof(ngx_shm_zone_t *))
           != NGX_OK
        || ngx_array_init(&pmcf->replays, cf->pool, 1,
                          sizeof(ngx_shm_zone_t *))
           != NGX_OK
        || ngx_array_init(&pmcf->claim_variables, cf->pool, 4,
                          sizeof(ngx_str_t))
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
