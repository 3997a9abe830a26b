#include "oauth/outcome.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <string_view>

namespace oauth {
namespace {

struct Row {
  Outcome outcome;
  std::string_view word;
  unsigned status;
  std::string_view error;
};

// The contract's table "Outcomes".
constexpr Row rows[] = {
    {Outcome::active, "active", 0, ""},
    {Outcome::missing, "missing", 401, ""},
    {Outcome::malformed, "malformed", 401, "invalid_token"},
    {Outcome::inactive, "inactive", 401, "invalid_token"},
    {Outcome::expired, "expired", 401, "invalid_token"},
    {Outcome::not_yet_valid, "not_yet_valid", 401, "invalid_token"},
    {Outcome::issuer, "issuer", 401, "invalid_token"},
    {Outcome::audience, "audience", 401, "invalid_token"},
    {Outcome::insufficient_scope, "insufficient_scope", 403, "insufficient_scope"},
    {Outcome::bound, "bound", 401, "invalid_token"},
    {Outcome::dpop_proof, "dpop_proof", 401, "invalid_dpop_proof"},
    {Outcome::dpop_replay, "dpop_replay", 401, "invalid_dpop_proof"},
    {Outcome::dpop_nonce, "dpop_nonce", 401, "use_dpop_nonce"},
    {Outcome::certificate, "certificate", 401, "invalid_token"},
    {Outcome::signature_of_client, "signature", 401, "invalid_token"},
    {Outcome::signature_of_server, "signature", 502, ""},
    {Outcome::rejected_jwt, "rejected_jwt", 401, "invalid_token"},
    {Outcome::acr, "acr", 401, "insufficient_user_authentication"},
    {Outcome::auth_time, "auth_time", 401, "insufficient_user_authentication"},
    {Outcome::requirement_forbidden, "requirement", 403, "insufficient_scope"},
    {Outcome::requirement_unauthorized, "requirement", 401, "invalid_token"},
    {Outcome::revoked, "revoked", 401, "invalid_token"},
    {Outcome::dpop_replay_full, "dpop_replay_full", 503, ""},
    {Outcome::as_refused_client, "as_refused_client", 502, ""},
    {Outcome::as_busy, "as_busy", 503, ""},
    {Outcome::as_timeout, "as_timeout", 504, ""},
    {Outcome::as_error, "as_error", 502, ""},
    {Outcome::as_bad_response, "as_bad_response", 502, ""},
    {Outcome::misconfigured, "misconfigured", 500, ""},
    {Outcome::stale, "stale", 503, ""},
    {Outcome::jwks_unavailable, "jwks_unavailable", 503, ""},
    {Outcome::passed_jwt, "passed_jwt", 0, ""},
    {Outcome::preflight, "preflight", 0, ""},
    {Outcome::bypassed, "bypassed", 0, ""},
    {Outcome::anonymous, "anonymous", 0, ""},
    {Outcome::internal_error, "internal_error", 500, ""},
};

TEST(Outcome, MeansWhatTheContractSays) {
  for (const Row &row : rows) {
    const OutcomeMeaning &actual = meaning(row.outcome);
    EXPECT_EQ(actual.word, row.word);
    EXPECT_EQ(actual.status, row.status) << row.word;
    EXPECT_EQ(actual.error, row.error) << row.word;
  }
}

TEST(Outcome, IsOneOfTheseRows) {
  std::set<Outcome> outcomes;
  for (const Row &row : rows) {
    outcomes.insert(row.outcome);
  }
  EXPECT_EQ(outcomes.size(), std::size(rows));
  for (int i = 0; i <= static_cast<int>(Outcome::internal_error); ++i) {
    EXPECT_EQ(outcomes.count(static_cast<Outcome>(i)), 1U) << meaning(static_cast<Outcome>(i)).word;
  }
}

TEST(Outcome, LeavesTheAnswerToTheApiForFourOnly) {
  for (const Row &row : rows) {
    const bool reaches_api = row.outcome == Outcome::active || row.outcome == Outcome::passed_jwt ||
                             row.outcome == Outcome::preflight || row.outcome == Outcome::bypassed ||
                             row.outcome == Outcome::anonymous;
    EXPECT_EQ(meaning(row.outcome).status == 0, reaches_api) << row.word;
  }
}

TEST(Outcome, HasAnErrorOnlyWhereTheTokenIsAtFault) {
  for (const Row &row : rows) {
    const OutcomeMeaning &actual = meaning(row.outcome);
    const bool is_challenge = actual.status == 401 || actual.status == 403;
    EXPECT_EQ(!actual.error.empty(), is_challenge && row.outcome != Outcome::missing) << row.word;
  }
}

}  // namespace
}  // namespace oauth
