#include "refusal_headers.h"

#include <iterator>

#include "../../nginx/header_list.h"
#include "../../nginx/response.h"
#include "../../nginx/strings.h"
#include "../../oauth/challenge.h"
#include "../configuration/policy.h"
#include "../subrequest/client_token.h"
#include "resource.h"

namespace gateway {
namespace {

using oauth::Outcome;
using oauth::Scheme;

constexpr std::string_view www_authenticate = "WWW-Authenticate";
constexpr std::string_view retry_after = "Retry-After";

/// Whether the response still has it: ngx_http_clean_header() empties the list, whose places are then used anew.
bool is_listed(const ngx_http_request_t *r, const ngx_table_elt_t *header, std::string_view name) noexcept {
  if (header == nullptr) {
    return false;
  }
  for (const ngx_table_elt_t &listed : HeaderList(r->headers_out.headers)) {
    if (&listed == header) {
      return reinterpret_cast<const char *>(header->key.data) == name.data();
    }
  }
  return false;
}

/// Adds a header, or gives the one of an earlier refusal another value: after a redirect from one refusal to the next
/// there is still one.
/// @param name one of the two below, by which the header is known to be ours.
bool set_header(ngx_http_request_t *r, ngx_table_elt_t *&header, std::string_view name,
                const ngx_str_t &value) noexcept {
  if (!is_listed(r, header, name)) {
    header = push_header(r, name, to_view(value));
    return header != nullptr;
  }
  header->hash = 1;
  header->value = value;
  return true;
}

/// A token that is bound by `jkt` is no bearer token, even if it came as one.
bool is_bound_by_dpop(const RequestState &state) noexcept {
  if (state.client_jwt == nullptr && state.answer == nullptr) {
    return false;
  }
  const oauth::CheckedClaims &claims = interpreted_of(state).information.checked_claims;
  return claims.jkt != nullptr || claims.jkt_of_response != nullptr;
}

/// The schemes that a refusal names.
struct Schemes {
  bool bearer = true;
  bool dpop = false;
};

Schemes schemes_of(const RequestState &state, const phantom_token_location_t &location, Outcome outcome) noexcept {
  if (!accepts_dpop(location)) {
    return {};
  }
  if (outcome == Outcome::missing) {
    const bool is_required = location.confirmation == PHANTOM_TOKEN_CONFIRMATION_REQUIRE;
    return {!is_required || may_have_certificate(location), true};
  }
  const bool is_dpop = state.scheme == Scheme::dpop || (outcome == Outcome::bound && is_bound_by_dpop(state));
  return {!is_dpop, is_dpop};
}

bool set_challenge(ngx_http_request_t *r, ngx_table_elt_t *&header, const oauth::Challenge &challenge) noexcept {
  const std::size_t size = oauth::challenge_size(challenge);
  auto *value = static_cast<char *>(ngx_pnalloc(r->pool, size));
  if (value == nullptr || !set_header(r, header, www_authenticate, to_ngx_str({value, size}))) {
    return false;
  }
  (void)oauth::write_challenge(value, challenge);
  return true;
}

bool is_visible_ascii(std::string_view value) noexcept {
  for (const char c : value) {
    if (c < 0x20 || c > 0x7e) {
      return false;
    }
  }
  return !value.empty();
}

/// When the first of the proofs have ended that fill the zone, at the latest.
constexpr std::string_view retry_full_zone_after = "1";

}  // namespace

bool set_challenges(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                    Outcome outcome) noexcept {
  const oauth::Requirements &requirements = location.policy->requirements;
  oauth::Challenge challenge;
  challenge.realm = to_view(location.realm);
  challenge.scopes = requirements.scopes;
  challenge.error = oauth::meaning(outcome).error;
  challenge.algorithms = location.policy->dpop.algorithms;
  if (challenge.error == oauth::insufficient_user_authentication) {
    challenge.acr_values = requirements.acr_values;
    challenge.max_age = location.policy->max_auth_age;
  }
  if (!find_metadata_url(r, location, challenge.resource_metadata)) {
    return false;
  }
  const Schemes schemes = schemes_of(state, location, outcome);
  if (schemes.bearer && !set_challenge(r, state.challenges[0], challenge)) {
    return false;
  }
  challenge.scheme = Scheme::dpop;
  if (schemes.dpop && !set_challenge(r, state.challenges[1], challenge)) {
    return false;
  }
  r->headers_out.www_authenticate = state.challenges[schemes.bearer ? 0 : 1];
  link_header(r->headers_out.www_authenticate, schemes.bearer && schemes.dpop ? state.challenges[1] : nullptr);
  return true;
}

bool set_retry_after(ngx_http_request_t *r, RequestState &state, Outcome outcome) noexcept {
  if (outcome == Outcome::dpop_replay_full) {
    return set_header(r, state.retry_after, retry_after, to_ngx_str(retry_full_zone_after));
  }
  const AsRequest *answer = state.answer;
  return outcome != Outcome::as_busy || answer == nullptr || !is_visible_ascii(to_view(answer->captured.retry_after)) ||
         set_header(r, state.retry_after, retry_after, answer->captured.retry_after);
}

void withdraw_headers(ngx_http_request_t *r, const RequestState &state) noexcept {
  for (ngx_table_elt_t *challenge : state.challenges) {
    if (is_listed(r, challenge, www_authenticate)) {
      challenge->hash = 0;
      r->headers_out.www_authenticate = nullptr;
    }
  }
  if (is_listed(r, state.retry_after, retry_after)) {
    state.retry_after->hash = 0;
  }
}

void withdraw_other_challenges(ngx_http_request_t *r) noexcept {
  hide_headers(r, www_authenticate);
  r->headers_out.www_authenticate = nullptr;
}

}  // namespace gateway
