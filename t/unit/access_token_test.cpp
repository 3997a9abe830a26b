#include "oauth/access_token.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_jwt.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

TEST(AccessTokenType, IsAbsentOrOneOfTwo) {
  const struct {
    std::string_view typ;
    bool may_be;
  } cases[] = {
      {"", true},
      {R"(,"typ":"JWT")", true},
      {R"(,"typ":"jwt")", true},
      {R"(,"typ":"at+jwt")", true},
      {R"(,"typ":"AT+JWT")", true},
      {R"(,"typ":"application/at+jwt")", true},
      {R"(,"typ":"Application/JWT")", true},
      {R"(,"typ":"at\u002Bjwt")", true},
      {R"(,"typ":"")", false},
      {R"(,"typ":null)", true},
      {R"(,"typ":["JWT"])", false},
      {R"(,"typ":1)", false},
      {R"(,"typ":"id_token+jwt")", false},
      {R"(,"typ":"logout+jwt")", false},
      {R"(,"typ":"dpop+jwt")", false},
      {R"(,"typ":"token-introspection+jwt")", false},
      {R"(,"typ":"secevent+jwt")", false},
      {R"(,"typ":"JOSE")", false},
      {R"(,"typ":"at+jwt ")", false},
      {R"(,"typ":"at+jwt;x")", false},
      {R"(,"typ":"application/application/jwt")", false},
      {R"(,"typ":"JWT\u0000")", false},
  };
  for (const auto &test : cases) {
    const std::string text = make_jwt(R"({"alg":"RS256")" + std::string(test.typ) + "}", "{}");
    TestMemory memory;
    Jwt jwt;
    const char *problem = nullptr;
    ASSERT_TRUE(parse_jwt(text, memory, jwt, problem)) << problem;
    EXPECT_EQ(is_access_token_type(jwt), test.may_be) << test.typ;
  }
}

}  // namespace
}  // namespace oauth
