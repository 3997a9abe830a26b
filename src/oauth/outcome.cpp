#include "outcome.h"

#include <cstddef>

namespace oauth {

namespace {

struct Row {
  Outcome outcome;
  OutcomeMeaning meaning;
};

constexpr std::string_view no_error;
constexpr std::string_view invalid_token = "invalid_token";
constexpr std::string_view insufficient_scope = "insufficient_scope";
constexpr std::string_view invalid_dpop_proof = "invalid_dpop_proof";  // RFC 9449 section 7.1
constexpr std::string_view use_dpop_nonce = "use_dpop_nonce";          // RFC 9449 section 9

constexpr Row table[] = {
    {Outcome::active, {"active", 0, no_error}},
    {Outcome::missing, {"missing", 401, no_error}},  // RFC 6750 section 3.1: no error code without credentials
    {Outcome::malformed, {"malformed", 401, invalid_token}},
    {Outcome::inactive, {"inactive", 401, invalid_token}},
    {Outcome::expired, {"expired", 401, invalid_token}},
    {Outcome::not_yet_valid, {"not_yet_valid", 401, invalid_token}},
    {Outcome::issuer, {"issuer", 401, invalid_token}},
    {Outcome::audience, {"audience", 401, invalid_token}},
    {Outcome::insufficient_scope, {"insufficient_scope", 403, insufficient_scope}},
    {Outcome::bound, {"bound", 401, invalid_token}},
    {Outcome::dpop_proof, {"dpop_proof", 401, invalid_dpop_proof}},
    {Outcome::dpop_replay, {"dpop_replay", 401, invalid_dpop_proof}},
    {Outcome::dpop_nonce, {"dpop_nonce", 401, use_dpop_nonce}},
    {Outcome::certificate, {"certificate", 401, invalid_token}},
    {Outcome::signature_of_client, {"signature", 401, invalid_token}},
    {Outcome::signature_of_server, {"signature", 502, no_error}},
    {Outcome::rejected_jwt, {"rejected_jwt", 401, invalid_token}},
    {Outcome::acr, {"acr", 401, insufficient_user_authentication}},
    {Outcome::auth_time, {"auth_time", 401, insufficient_user_authentication}},
    {Outcome::requirement_forbidden, {"requirement", 403, insufficient_scope}},
    {Outcome::requirement_unauthorized, {"requirement", 401, invalid_token}},
    {Outcome::revoked, {"revoked", 401, invalid_token}},
    {Outcome::dpop_replay_full, {"dpop_replay_full", 503, no_error}},
    {Outcome::as_refused_client, {"as_refused_client", 502, no_error}},
    {Outcome::as_busy, {"as_busy", 503, no_error}},
    {Outcome::as_timeout, {"as_timeout", 504, no_error}},
    {Outcome::as_error, {"as_error", 502, no_error}},
    {Outcome::as_bad_response, {"as_bad_response", 502, no_error}},
    {Outcome::misconfigured, {"misconfigured", 500, no_error}},
    {Outcome::stale, {"stale", 503, no_error}},
    {Outcome::jwks_unavailable, {"jwks_unavailable", 503, no_error}},
    {Outcome::passed_jwt, {"passed_jwt", 0, no_error}},
    {Outcome::preflight, {"preflight", 0, no_error}},
    {Outcome::bypassed, {"bypassed", 0, no_error}},
    {Outcome::anonymous, {"anonymous", 0, no_error}},
    {Outcome::internal_error, {"internal_error", 500, no_error}},
};

constexpr std::size_t index(Outcome outcome) noexcept {
  return static_cast<std::size_t>(outcome);
}

constexpr bool is_complete() noexcept {
  std::size_t next = 0;
  for (const Row &row : table) {
    if (index(row.outcome) != next++) {
      return false;
    }
  }
  return next == index(Outcome::internal_error) + 1;
}

static_assert(is_complete(), "the table has one row for each outcome, in the order of the enumeration");

}  // namespace

const OutcomeMeaning &meaning(Outcome outcome) noexcept {
  return table[index(outcome)].meaning;
}

}  // namespace oauth
