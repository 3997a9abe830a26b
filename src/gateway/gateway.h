#pragma once

/*
 * The border between the C shim in module/ and the C++ core: plain C on purpose. The shim registers what stands here
 * with nginx, and nothing else passes the border.
 */

/* Read by C too, and written as nginx writes C. */
/* clang-format off */

#ifdef __cplusplus
extern "C" {
#endif

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

/** What phantom_token says. */
typedef enum {
    PHANTOM_TOKEN_OFF,
    PHANTOM_TOKEN_ON,
    PHANTOM_TOKEN_OPTIONAL
} phantom_token_enabled_e;

/** What phantom_token_syntax says. */
typedef enum {
    PHANTOM_TOKEN_SYNTAX_B64TOKEN,
    PHANTOM_TOKEN_SYNTAX_VISIBLE
} phantom_token_syntax_e;

/** What phantom_token_confirmation says. */
typedef enum {
    PHANTOM_TOKEN_CONFIRMATION_REFUSE,
    PHANTOM_TOKEN_CONFIRMATION_PASS,
    PHANTOM_TOKEN_CONFIRMATION_VERIFY,
    PHANTOM_TOKEN_CONFIRMATION_REQUIRE
} phantom_token_confirmation_e;

/** What phantom_token_error_format says. */
typedef enum {
    PHANTOM_TOKEN_ERROR_JSON,
    PHANTOM_TOKEN_ERROR_PROBLEM,
    PHANTOM_TOKEN_ERROR_PAGE
} phantom_token_error_format_e;

/** What phantom_token_client_auth says. */
typedef enum {
    PHANTOM_TOKEN_CLIENT_AUTH_BASIC,
    PHANTOM_TOKEN_CLIENT_AUTH_BASIC_RAW,
    PHANTOM_TOKEN_CLIENT_AUTH_POST,
    PHANTOM_TOKEN_CLIENT_AUTH_CLIENT_SECRET_JWT,
    PHANTOM_TOKEN_CLIENT_AUTH_PRIVATE_KEY_JWT,
    PHANTOM_TOKEN_CLIENT_AUTH_NONE
} phantom_token_client_auth_e;

/** What phantom_token_forward says. */
typedef enum {
    PHANTOM_TOKEN_FORWARD_JWT,
    PHANTOM_TOKEN_FORWARD_SIGN,
    PHANTOM_TOKEN_FORWARD_NONE
} phantom_token_forward_e;

/** What phantom_token_inbound_jwt says. */
typedef enum {
    PHANTOM_TOKEN_INBOUND_INTROSPECT,
    PHANTOM_TOKEN_INBOUND_VERIFY,
    PHANTOM_TOKEN_INBOUND_PASS,
    PHANTOM_TOKEN_INBOUND_REJECT
} phantom_token_inbound_jwt_e;

/** What phantom_token_preflight says. */
typedef enum {
    PHANTOM_TOKEN_PREFLIGHT_PASS,
    PHANTOM_TOKEN_PREFLIGHT_ANSWER,
    PHANTOM_TOKEN_PREFLIGHT_PROTECT
} phantom_token_preflight_e;

/** Where a directive stands, for messages that come after nginx has left its line. */
typedef struct {
    ngx_str_t   file;
    ngx_uint_t  line;
} phantom_token_position_t;

/** What a location asks of a request, in the form that src/oauth reads: see configuration/policy.h. */
typedef struct phantom_token_policy_s  phantom_token_policy_t;

/** A private key that the gateway signs with: see configuration/private_key.h. */
typedef struct phantom_token_private_key_s  phantom_token_private_key_t;

/** What a token must match: see nginx/pattern.h. */
typedef struct phantom_token_pattern_s  phantom_token_pattern_t;

/** The nonces that phantom_token_dpop_nonce asks for. */
typedef struct {
    ngx_str_t   secret;
    time_t      time;                            /* seconds that one is good for */
} phantom_token_dpop_nonce_t;

/** One value of phantom_token_require. */
typedef struct {
    ngx_http_complex_value_t   value;
    const char                *problem;       /* a line for the log: which value does not hold */
    ngx_uint_t                 status;        /* 403 or 401 */
} phantom_token_required_value_t;

/** Where the variables are that the gateway reads itself: see configuration/variable_indices.h. */
typedef struct phantom_token_variables_s  phantom_token_variables_t;

/** What this module knows of one http, server, location, if or limit_except block. Lists are arrays of ngx_str_t. */
typedef struct phantom_token_location_s {

    /*
     * What the directives say. A directive's setter writes its field; by the table of defaults in module/directives.c,
     * the merge inherits it or writes the default.
     */

    ngx_uint_t                 enabled;
    ngx_http_complex_value_t  *introspection_endpoint;
    ngx_http_complex_value_t  *exchange_endpoint;
    ngx_http_complex_value_t  *jwks_endpoint;
    ngx_str_t                  realm;
    ngx_array_t               *scopes_line;              /* of phantom_token_scopes; NULL: not on this level */
    ngx_array_t               *scope_lines;              /* of phantom_token_scope; NULL: not on this level */
    ngx_uint_t                 scope_match;
    ngx_array_t               *issuers;
    ngx_array_t               *audiences;
    time_t                     leeway;
    ngx_array_t               *jwt_members;
    ngx_array_t               *sources;                  /* ngx_http_complex_value_t *; NULL: Authorization */
    phantom_token_pattern_t   *pattern;                  /* NULL: none */
    ngx_uint_t                 token_syntax;
    ngx_str_t                  type_hint;                /* "off": none is sent */
    ngx_array_t               *inactive_statuses;        /* ngx_uint_t */
    size_t                     max_response_size;
    ngx_msec_t                 response_timeout;
    ngx_flag_t                 stale;
    ngx_uint_t                 confirmation;
    ngx_http_complex_value_t  *dpop_uri;                 /* NULL: the request's */
    time_t                     dpop_max_age;
    ngx_array_t               *dpop_algorithms;          /* NULL: the default list */
    phantom_token_dpop_nonce_t
                              *dpop_nonce;               /* NULL: off */
    ngx_http_complex_value_t  *client_certificate;       /* NULL: the connection's */
    ngx_uint_t                 error_format;
    ngx_array_t               *exchange_audiences;
    ngx_array_t               *exchange_resources;
    ngx_str_t                  exchange_scope;
    ngx_str_t                  exchange_requested_token_type;
    ngx_str_t                  client_id;
    ngx_str_t                  client_secret;            /* what the file holds */
    ngx_uint_t                 client_auth;
    phantom_token_private_key_t
                              *client_key;               /* NULL: none */
    ngx_str_t                  client_assertion_audience;  /* empty: the only issuer */
    ngx_uint_t                 forward;
    ngx_array_t               *signing_keys;             /* phantom_token_private_key_t *: the first signs */
    ngx_str_t                  signed_issuer;
    ngx_array_t               *signed_audiences;
    time_t                     signed_lifetime;
    ngx_array_t               *signed_claims;            /* empty: all */
    ngx_uint_t                 inbound_jwt;
    ngx_flag_t                 verify_jwt;
    ngx_uint_t                 preflight;
    ngx_array_t               *acr_values;
    time_t                     max_auth_age;             /* -1: any */
    ngx_array_t               *required_values;          /* phantom_token_required_value_t */
    ngx_http_complex_value_t  *resource_metadata;
    ngx_http_complex_value_t  *resource;
    ngx_shm_zone_t            *hot_cache;                /* NULL: off */
    ngx_shm_zone_t            *revocation;               /* NULL: off */
    ngx_shm_zone_t            *dpop_replay;              /* NULL: off */

    /* Not inherited. */

    phantom_token_position_t   publishes_keys_at;        /* phantom_token_jwks; no file: it does not */
    phantom_token_position_t   publishes_metadata_at;    /* phantom_token_resource_document; no file: it does not */
    ngx_array_t               *authorization_servers;    /* that its line names; NULL: none */
    ngx_shm_zone_t            *takes_revocations;        /* of phantom_token_revoke; NULL: it does not */
    phantom_token_position_t   takes_revocations_at;

    /* Where some of them stand. Written by the same setters, and inherited with the directive. */

    phantom_token_position_t   enabled_at;
    phantom_token_position_t   introspection_endpoint_at;
    phantom_token_position_t   exchange_endpoint_at;
    phantom_token_position_t   jwks_endpoint_at;
    phantom_token_position_t   hot_cache_at;
    phantom_token_position_t   revocation_at;
    phantom_token_position_t   dpop_replay_at;

    /* What follows from them. Written by phantom_token_finish_merge(). */

    ngx_array_t               *scopes;                   /* those of the two lists that count, inherited or not */
    phantom_token_policy_t    *policy;
    struct phantom_token_location_s
                              *enclosing_location;       /* that this `if` or limit_except stands in; else itself */

    /*
     * What other locations make of this one. Written by the postconfiguration, which has all of them before it; zero
     * until then.
     */

    phantom_token_position_t   endpoint_at;              /* where an endpoint stands that leads here */
    unsigned                   is_endpoint_location:1;   /* a protected location's constant endpoint leads here */
    unsigned                   receives_tokens:1;        /* and it is one for introspection or exchange */
    unsigned                   receives_credentials:1;   /* and its requests have the gateway's Authorization */
    unsigned                   refuses_clients:1;        /* no request of a client may be here, by no redirect */
    unsigned                   warned_of_name:1;         /* nginx -t has said that it is not named as its endpoint */
    unsigned                   has_if:1;                 /* there is an `if` in it */
    unsigned                   shares_cache_zone:1;      /* another location uses the same proxy_cache zone */
    unsigned                   caches_responses:1;       /* it, or an `if` in it, is protected and has a proxy_cache */
    unsigned                   may_have_certificate:1;   /* its clients may show one: ssl_verify_client is not off */
} phantom_token_location_t;

/** What tells servers of one name apart: see configuration/server_identity.h. */
typedef struct {
    u_char  ordinal[NGX_INT_T_LEN];  /* decimal, among the servers that share their first server_name */
    size_t  ordinal_length;
} phantom_token_server_t;

/** One merged block and where it stands; the list of all is what the checks after parsing walk. */
typedef struct {
    phantom_token_location_t   *location;
    phantom_token_location_t   *parent;          /* what it inherits from */
    ngx_http_core_loc_conf_t   *core;
    ngx_http_core_srv_conf_t   *server;
    void                      **configurations;  /* all modules' configurations of this block */
    ngx_http_upstream_conf_t   *upstream;        /* what its handler passes requests on with; may be NULL */
} phantom_token_block_t;

typedef struct {
    ngx_array_t                 blocks;     /* phantom_token_block_t; gone when the configuration has been read */
    phantom_token_variables_t  *variables;
    ngx_array_t                 hot_caches; /* ngx_shm_zone_t *: of all phantom_token_hot_cache zone=... */
    ngx_array_t                 revocations; /* ngx_shm_zone_t *: of all phantom_token_revocation zone=... */
    ngx_array_t                 replays; /* ngx_shm_zone_t *: of all phantom_token_dpop_replay zone=... */
    ngx_array_t                 claim_variables; /* ngx_str_t: the names in phantom_token_claim_set */
    ngx_shm_zone_t             *metrics;    /* NULL where no location has phantom_token_metrics */
} phantom_token_main_t;

extern ngx_module_t  ngx_http_phantom_token_module;

/* Setters, where nginx's own slot functions do not fit. Several directives may use these: configuration/setters.cpp. */
char *phantom_token_set_text(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_word(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_seconds(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_lifetime(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_milliseconds(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_strings(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_add_strings(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_words(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Each of these is for one: configuration/confirmation_directives.cpp, configuration/directives.cpp,
 * configuration/key_directives.cpp,
 * configuration/requirement_directives.cpp, configuration/resource_directives.cpp, configuration/token_directives.cpp,
 * cache/hot_cache_zone.cpp, cache/replays.cpp, cache/revocation_directive.cpp, observation/claim_variables.cpp, observation/metrics_page.cpp,
 * access/key_set_page.cpp, access/resource_document.cpp, access/revoke.cpp.
 */
char *phantom_token_set_enabled(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_introspection_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_exchange_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_jwks_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_add_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_type_hint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_inactive_statuses(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_exchange_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_secret_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_client_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_add_signing_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_signed_claims(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_resource(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_resource_document(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_sources(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_pattern(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_max_auth_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_add_required_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_add_claim_variable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_refuse_client_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_hot_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_dpop_uri(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_dpop_algorithms(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_dpop_replay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_dpop_nonce(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_client_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_revocation(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *phantom_token_set_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/**
 * Ends a merge, when every directive has its value: finds the scopes that count, makes the policy, and adds the block
 * to the list of all.
 * @return NGX_CONF_OK or NGX_CONF_ERROR, which has been logged.
 */
char *phantom_token_finish_merge(ngx_conf_t *cf, phantom_token_location_t *parent, phantom_token_location_t *child);

/** Adds the variables. */
ngx_int_t phantom_token_preconfiguration(ngx_conf_t *cf);

/** Checks the whole configuration and installs the phase handlers and filters. */
ngx_int_t phantom_token_postconfiguration(ngx_conf_t *cf);

/** Says at each start and reload which version this is. */
ngx_int_t phantom_token_init_module(ngx_cycle_t *cycle);

/** Begins what a worker does by itself. */
ngx_int_t phantom_token_init_process(ngx_cycle_t *cycle);

/** Frees what a worker keeps outside nginx's pools. */
void phantom_token_exit_process(ngx_cycle_t *cycle);

#ifdef __cplusplus
}
#endif
