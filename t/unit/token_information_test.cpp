#include "oauth/token_information.h"

#include <gtest/gtest.h>

#include <string_view>

#include "test_jwt.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

TEST(TokenInformation, StartsAsARefusal) {
  const TokenInformation information;
  EXPECT_EQ(information.outcome, Outcome::internal_error);
  EXPECT_FALSE(information.checked_claims.gathered);
}

TEST(TokenInformation, OfARefusalHasNothingToForward) {
  const TokenInformation information = refused_response(Outcome::as_error, "why");
  EXPECT_EQ(information.outcome, Outcome::as_error);
  EXPECT_STREQ(information.problem, "why");
  EXPECT_TRUE(information.jwt.compact.empty());
  EXPECT_EQ(bad_response("why").outcome, Outcome::as_bad_response);
  EXPECT_EQ(inactive_token().outcome, Outcome::inactive);
}

TEST(TokenInformation, HasTheJwtAndItsClaims) {
  const std::string jwt = make_jwt(R"({"exp":7})");
  TestMemory memory;
  const TokenInformation information = accept_jwt(jwt, nullptr, memory);
  EXPECT_EQ(information.outcome, Outcome::active);
  EXPECT_EQ(information.problem, nullptr);
  EXPECT_EQ(information.jwt.compact, jwt);
  EXPECT_EQ(information.checked_claims.exp, 7);
  EXPECT_TRUE(information.checked_claims.gathered);
}

TEST(TokenInformation, OfNoJwtSaysWhy) {
  TestMemory memory;
  const TokenInformation information = accept_jwt("opaque", nullptr, memory);
  EXPECT_EQ(information.outcome, Outcome::as_bad_response);
  EXPECT_STREQ(information.problem, "the JWT does not have three parts");
}

}  // namespace
}  // namespace oauth
