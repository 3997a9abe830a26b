/*
 * How a location's configuration is made and merged: by the table of defaults,
 * and as nginx's own macros do it.
 */

#include "directives.h"


static void phantom_token_unset(u_char *field, phantom_token_kind_e kind);
static void phantom_token_merge(u_char *field, u_char *outer,
    phantom_token_default_t *value);
static void phantom_token_merge_str(ngx_str_t *field, ngx_str_t *outer,
    ngx_str_t *value);
static void phantom_token_merge_position(phantom_token_position_t *field,
    phantom_token_position_t *outer);


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
