#pragma once

#include <string_view>

#include "../../oauth/token_information.h"
#include "../configuration/module_configuration.h"

namespace gateway {

/// What the names of variables begin with that are claims.
constexpr std::string_view claim_prefix = "phantom_token_claim_";

/// @return what has been accepted for this request, by checks of this module, or nullptr.
oauth::TokenInformation *accepted(const ngx_http_request_t *r) noexcept;

/// Handlers: of $phantom_token_claim_NAME, where data is the variable's whole name, and of $phantom_token_sub,
/// $phantom_token_client_id and $phantom_token_scope, where it is nothing.
ngx_int_t get_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept;
ngx_int_t get_sub(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept;
ngx_int_t get_client_id(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept;
ngx_int_t get_scope(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept;

}  // namespace gateway
