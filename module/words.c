/*
 * The words that directives choose from, and what each stands for.
 */

#include "directives.h"


ngx_conf_enum_t  phantom_token_words[] = {
    { ngx_string("on"), PHANTOM_TOKEN_ON },
    { ngx_string("off"), PHANTOM_TOKEN_OFF },
    { ngx_string("optional"), PHANTOM_TOKEN_OPTIONAL },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_syntax_words[] = {
    { ngx_string("b64token"), PHANTOM_TOKEN_SYNTAX_B64TOKEN },
    { ngx_string("visible"), PHANTOM_TOKEN_SYNTAX_VISIBLE },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_scope_match_words[] = {
    { ngx_string("all"), 0 },
    { ngx_string("any"), 1 },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_confirmation_words[] = {
    { ngx_string("refuse"), PHANTOM_TOKEN_CONFIRMATION_REFUSE },
    { ngx_string("pass"), PHANTOM_TOKEN_CONFIRMATION_PASS },
    { ngx_string("verify"), PHANTOM_TOKEN_CONFIRMATION_VERIFY },
    { ngx_string("require"), PHANTOM_TOKEN_CONFIRMATION_REQUIRE },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_error_format_words[] = {
    { ngx_string("json"), PHANTOM_TOKEN_ERROR_JSON },
    { ngx_string("problem"), PHANTOM_TOKEN_ERROR_PROBLEM },
    { ngx_string("page"), PHANTOM_TOKEN_ERROR_PAGE },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_client_auth_words[] = {
    { ngx_string("basic"), PHANTOM_TOKEN_CLIENT_AUTH_BASIC },
    { ngx_string("basic_raw"), PHANTOM_TOKEN_CLIENT_AUTH_BASIC_RAW },
    { ngx_string("post"), PHANTOM_TOKEN_CLIENT_AUTH_POST },
    { ngx_string("client_secret_jwt"),
      PHANTOM_TOKEN_CLIENT_AUTH_CLIENT_SECRET_JWT },
    { ngx_string("private_key_jwt"),
      PHANTOM_TOKEN_CLIENT_AUTH_PRIVATE_KEY_JWT },
    { ngx_string("none"), PHANTOM_TOKEN_CLIENT_AUTH_NONE },
    { ngx_string("client_secret_basic"), PHANTOM_TOKEN_CLIENT_AUTH_BASIC },
    { ngx_string("client_secret_post"), PHANTOM_TOKEN_CLIENT_AUTH_POST },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_forward_words[] = {
    { ngx_string("jwt"), PHANTOM_TOKEN_FORWARD_JWT },
    { ngx_string("sign"), PHANTOM_TOKEN_FORWARD_SIGN },
    { ngx_string("none"), PHANTOM_TOKEN_FORWARD_NONE },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_inbound_jwt_words[] = {
    { ngx_string("introspect"), PHANTOM_TOKEN_INBOUND_INTROSPECT },
    { ngx_string("verify"), PHANTOM_TOKEN_INBOUND_VERIFY },
    { ngx_string("pass"), PHANTOM_TOKEN_INBOUND_PASS },
    { ngx_string("reject"), PHANTOM_TOKEN_INBOUND_REJECT },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  phantom_token_preflight_words[] = {
    { ngx_string("pass"), PHANTOM_TOKEN_PREFLIGHT_PASS },
    { ngx_string("answer"), PHANTOM_TOKEN_PREFLIGHT_ANSWER },
    { ngx_string("protect"), PHANTOM_TOKEN_PREFLIGHT_PROTECT },
    { ngx_null_string, 0 }
};
