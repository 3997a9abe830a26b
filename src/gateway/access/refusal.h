#pragma once

#include "../../oauth/outcome.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"

namespace gateway {

/// Notes the outcome, logs it, and adds what the response needs: challenge, Retry-After, body.
/// @return the status for nginx to answer with, so that it discards the request's body and looks for an error_page.
ngx_int_t refuse(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                 oauth::Verdict verdict) noexcept;

/// Takes back what refuse() has added: another module has granted access under `satisfy any`, or a redirect has led to
/// a location that does.
void withdraw_refusal(ngx_http_request_t *r, const RequestState &state) noexcept;

/// Puts the refusal's type and length into the header of the page that nginx has made for it.
void replace_error_header(ngx_http_request_t *r) noexcept;

/// @return the chain to send in the place of nginx's page: `in` itself where this response is no refusal of ours,
/// nullptr
///   where there is no memory.
ngx_chain_t *replace_error_body(ngx_http_request_t *r, ngx_chain_t *in) noexcept;

}  // namespace gateway
