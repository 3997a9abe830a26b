#include "precontent_check.h"

#include "../../nginx/core_configuration.h"
#include "../../nginx/strings.h"
#include "../../oauth/bearer.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/client_token.h"
#include "../subrequest/waiting.h"
#include "access_check.h"
#include "authorization.h"
#include "proof_check.h"
#include "refusal.h"

namespace gateway {
namespace {

using oauth::Outcome;

/// Not under `satisfy any`, where another module may have granted access before ours was asked. But modules that want
/// to be the last of the access phase (srcache, lua) move its handlers when they first run in a worker, and a request
/// that was waiting in ours then goes on behind it.
bool was_to_be_checked(const ngx_http_request_t *r, const RequestState &state) noexcept {
  return core_location_of(r).satisfy == NGX_HTTP_SATISFY_ALL || state.waiting.awaited != nullptr;
}

bool may_hold_token(const ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  const ngx_table_elt_t *header = r->headers_in.authorization;
  const std::string_view value = header == nullptr ? std::string_view() : to_view(header->value);
  return oauth::may_hold_token(value, oauth::Scheme::bearer) ||
         (accepts_dpop(location) && oauth::may_hold_token(value, oauth::Scheme::dpop));
}

/// Another module alone has granted access: `satisfy any`.
/// @return NGX_DECLINED, or a status where there is no memory.
ngx_int_t withhold_token(ngx_http_request_t *r, RequestState &state,
                         const phantom_token_location_t &location) noexcept {
  note_judgement(state, Outcome::bypassed);
  const bool is_withheld = (!may_hold_token(r, location) || remove_authorization(r)) && remove_proof(r, location);
  return is_withheld ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace

ngx_int_t check_before_content(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = get_state(r);
  if (state == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (state->allowed_by != &location && was_to_be_checked(r, *state)) {
    const ngx_int_t rc = check_access(r, location);
    if (rc != NGX_OK && rc != NGX_DECLINED) {
      return rc;
    }
  }
  if (has_several_authorizations(r->headers_in)) {
    return NGX_HTTP_BAD_REQUEST;
  }
  // In an error page, the challenge belongs to the status that is being answered.
  if (r->err_status == 0) {
    withdraw_refusal(r, *state);
  }
  return state->allowed_by == &location ? NGX_DECLINED : withhold_token(r, *state, location);
}

ngx_int_t refuse_other_answer(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *state = find_state(r);
  if (state == nullptr || !still_waits(*state) || r->err_status >= NGX_HTTP_BAD_REQUEST) {
    return NGX_DECLINED;
  }
  state->waiting.awaited = nullptr;
  return refuse(r, *state, location,
                {Outcome::internal_error,
                 "another module was about to answer while the authorization server was still being asked"});
}

}  // namespace gateway
