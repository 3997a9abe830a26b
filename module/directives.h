/*
 * What the files of the shim share: the tables of the directives, and what
 * makes and merges a location's configuration by them.
 */

#ifndef _NGX_HTTP_PHANTOM_TOKEN_DIRECTIVES_H_INCLUDED_
#define _NGX_HTTP_PHANTOM_TOKEN_DIRECTIVES_H_INCLUDED_


#include "../src/gateway/gateway.h"


/* The type of a directive's field. */

typedef enum {
    PHANTOM_TOKEN_END,        /* of the table */
    PHANTOM_TOKEN_FLAG,       /* ngx_flag_t */
    PHANTOM_TOKEN_WORD,       /* ngx_uint_t */
    PHANTOM_TOKEN_SEC,        /* time_t */
    PHANTOM_TOKEN_MSEC,       /* ngx_msec_t */
    PHANTOM_TOKEN_SIZE,       /* size_t */
    PHANTOM_TOKEN_STR,        /* ngx_str_t */
    PHANTOM_TOKEN_PTR,        /* any pointer; the default is NULL */
    PHANTOM_TOKEN_POSITION    /* phantom_token_position_t; has no default */
} phantom_token_kind_e;


/* What a field is where no level says anything. */

typedef struct {
    size_t                offset;
    phantom_token_kind_e  kind;
    ngx_int_t             number;    /* for the first five kinds */
    ngx_str_t             text;      /* for PHANTOM_TOKEN_STR */
} phantom_token_default_t;


/*
 * The rows of the table of defaults.  A field of another type than its row
 * says does not compile without a warning.
 */

#define phantom_token_flag(field, value)                                      \
    phantom_token_number(field, ngx_flag_t, PHANTOM_TOKEN_FLAG, value)

#define phantom_token_word(field, value)                                      \
    phantom_token_number(field, ngx_uint_t, PHANTOM_TOKEN_WORD, value)

#define phantom_token_sec(field, value)                                       \
    phantom_token_number(field, time_t, PHANTOM_TOKEN_SEC, value)

#define phantom_token_msec(field, value)                                      \
    phantom_token_number(field, ngx_msec_t, PHANTOM_TOKEN_MSEC, value)

#define phantom_token_size(field, value)                                      \
    phantom_token_number(field, size_t, PHANTOM_TOKEN_SIZE, value)

#define phantom_token_str(field, value)                                       \
    { phantom_token_offset(field, phantom_token_is(field, ngx_str_t)),        \
      PHANTOM_TOKEN_STR, 0, ngx_string(value) }

#define phantom_token_null(field)                                             \
    { phantom_token_offset(field, phantom_token_field(field) == NULL),        \
      PHANTOM_TOKEN_PTR, 0, ngx_null_string }

#define phantom_token_position(field)                                         \
    { phantom_token_offset(field,                                             \
                           phantom_token_is(field,                            \
                                            phantom_token_position_t)),       \
      PHANTOM_TOKEN_POSITION, 0, ngx_null_string }

#define phantom_token_end                                                     \
    { 0, PHANTOM_TOKEN_END, 0, ngx_null_string }


#define phantom_token_number(field, type, kind, value)                        \
    { phantom_token_offset(field, phantom_token_is(field, type)),             \
      kind, value, ngx_null_string }

#define phantom_token_field(field)                                            \
    ((phantom_token_location_t *) NULL)->field

/* the two pointers must be of one type */
#define phantom_token_is(field, type)                                         \
    (1 ? &phantom_token_field(field) : (type *) NULL)

/* the check is compiled, and never run */
#define phantom_token_offset(field, check)                                    \
    offsetof(phantom_token_location_t, field) + 0 * sizeof(check)


extern ngx_command_t            phantom_token_commands[];
extern phantom_token_default_t  phantom_token_defaults[];

extern ngx_conf_enum_t  phantom_token_words[];
extern ngx_conf_enum_t  phantom_token_syntax_words[];
extern ngx_conf_enum_t  phantom_token_scope_match_words[];
extern ngx_conf_enum_t  phantom_token_confirmation_words[];
extern ngx_conf_enum_t  phantom_token_error_format_words[];
extern ngx_conf_enum_t  phantom_token_client_auth_words[];
extern ngx_conf_enum_t  phantom_token_forward_words[];
extern ngx_conf_enum_t  phantom_token_inbound_jwt_words[];
extern ngx_conf_enum_t  phantom_token_preflight_words[];


void *phantom_token_create_loc_conf(ngx_conf_t *cf);
char *phantom_token_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);


#endif /* _NGX_HTTP_PHANTOM_TOKEN_DIRECTIVES_H_INCLUDED_ */
