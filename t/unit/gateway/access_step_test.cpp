#include "gateway/access/access_step.h"

#include <gtest/gtest.h>

#include <memory>

namespace gateway {
namespace {

TEST(AccessStep, GoesOnWhereNothingIsAwaitedAndNothingRefused) {
  EXPECT_TRUE(go_on().goes_on());
  EXPECT_FALSE(no_memory().goes_on());
  EXPECT_EQ(no_memory().verdict.outcome, oauth::Outcome::internal_error);
  EXPECT_NE(no_memory().verdict.problem, nullptr);
  EXPECT_FALSE(AccessStep{}.goes_on());
}

TEST(AccessStep, WaitsForAnAnswerWhateverItsVerdict) {
  const auto request = std::make_unique<AsRequest>();
  EXPECT_EQ(await(*request).awaited, request.get());
  EXPECT_FALSE(await(*request).goes_on());
  EXPECT_FALSE((AccessStep{{oauth::Outcome::active}, request.get()}).goes_on());
}

TEST(AccessStep, EndsWithEveryOutcomeButActive) {
  for (int outcome = 0; outcome <= static_cast<int>(oauth::Outcome::internal_error); ++outcome) {
    const auto reached = static_cast<oauth::Outcome>(outcome);
    EXPECT_EQ((AccessStep{{reached}}).goes_on(), reached == oauth::Outcome::active) << outcome;
  }
}

}  // namespace
}  // namespace gateway
