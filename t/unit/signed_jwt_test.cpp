#include "oauth/signed_jwt.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "jose/base64url.h"
#include "test_jwt.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

constexpr std::string_view audience[] = {"api"};
constexpr std::string_view jwt_member[] = {"jwt"};

SignedJwtTemplate settings() {
  SignedJwtTemplate common;
  common.signer.secret = "secret";
  common.kid = "k\"1";
  common.issuer = "gateway";
  common.audiences = {audience, 1};
  common.lifetime = 300;
  common.jwt_members = {jwt_member, 1};
  return common;
}

std::string decode(std::string_view text) {
  std::string bytes(base64url_decoded_size(text.size()), '\0');
  EXPECT_TRUE(base64url_decode(text, bytes.data())) << text;
  return bytes;
}

/// What becomes of a JSON response, and of a JWT's claims beside it; empty: there is none.
struct Signing {
  Signing(std::string_view members, std::string_view claims, const SignedJwtTemplate &common = settings(),
          std::int64_t now = 1000) {
    TestMemory memory;
    const TestText members_text(members);
    const TestText claims_text(claims);
    TokenInformation information;
    information.outcome = Outcome::active;
    information.members = members.empty() ? nullptr : parse(members_text, memory);
    information.jwt.claims = claims.empty() ? nullptr : parse(claims_text, memory);
    information.checked_claims = gather_checked_claims(information.jwt.claims, information.members, nullptr);
    SignedJwt jwt;
    verdict = make_signed_jwt(common, information, now, "AAAA", memory, jwt);
    if (verdict.outcome == Outcome::active) {
      const std::size_t first = jwt.compact.find('.');
      const std::size_t second = jwt.compact.rfind('.');
      header = decode(jwt.compact.substr(0, first));
      payload = decode(jwt.compact.substr(first + 1, second - first - 1));
      exp = jwt.exp;
    }
  }

  static const JsonValue *parse(const TestText &text, Memory &memory) {
    const char *problem = nullptr;
    const JsonValue *value = parse_json(text.data(), text.size(), memory, problem);
    EXPECT_NE(value, nullptr) << problem;
    return value;
  }

  Verdict verdict;
  std::string header;
  std::string payload;
  std::int64_t exp = 0;
};

std::string own(std::string_view sub, std::string_view more = "", std::int64_t exp = 1300) {
  return R"({"iss":"gateway","sub":")" + std::string(sub) + R"(","aud":"api","iat":1000,"exp":)" + std::to_string(exp) +
         R"(,"jti":"AAAA")" + std::string(more) + "}";
}

TEST(SignedJwt, HasTheHeaderOfAnAccessToken) {
  EXPECT_EQ(Signing(R"({"sub":"a"})", "").header, R"({"alg":"HS256","typ":"at+jwt","kid":"k\"1"})");
}

TEST(SignedJwt, HasTheMembersOfTheResponseAndThenOtherClaimsOfTheJwt) {
  EXPECT_EQ(Signing(R"({"active":true,"sub":"a","x":[1,{"y":"\u00e4"}],"n":null,"jwt":"h.c.s","token_type":"Bearer"})",
                    R"({"sub":"b","x":2,"n":3,"z":{},"iss":"i","aud":"o","nbf":1,"iat":2,"jti":"j","active":true})")
                .payload,
            own("a", R"(,"x":[1,{"y":"ä"}],"n":3,"z":{})"));
}

TEST(SignedJwt, OfATokenExchangeHasOnlyTheScopeOfTheResponse) {
  SignedJwtTemplate common = settings();
  common.is_exchange = true;
  EXPECT_EQ(Signing(R"({"access_token":"h.c.s","scope":"r","sub":"x","expires_in":1})",
                    R"({"sub":"b","scope":"w","z":1})", common)
                .payload,
            own("b", R"(,"scope":"r","z":1)"));
}

TEST(SignedJwt, HasTheClaimsThatAreNamed) {
  constexpr std::string_view names[] = {"scope", "z", "absent"};
  SignedJwtTemplate common = settings();
  common.claims = {names, 3};
  EXPECT_EQ(Signing(R"({"sub":"a","scope":"r","x":1})", R"({"z":1,"y":2})", common).payload,
            own("a", R"(,"scope":"r","z":1)"));
}

TEST(SignedJwt, HasAnArrayOfSeveralAudiences) {
  constexpr std::string_view two[] = {"api", "b\"c"};
  SignedJwtTemplate common = settings();
  common.audiences = {two, 2};
  EXPECT_NE(Signing(R"({"sub":"a"})", "", common).payload.find(R"("aud":["api","b\"c"],)"), std::string::npos);
}

TEST(SignedJwt, EndsWithTheFirstOfTheTokenAndItsLifetime) {
  EXPECT_EQ(Signing(R"({"sub":"a","exp":1299})", "").exp, 1299);
  EXPECT_EQ(Signing(R"({"sub":"a","exp":1299.9})", "").payload, own("a", "", 1299));
  EXPECT_EQ(Signing(R"({"sub":"a","exp":1301})", "").exp, 1300);
  EXPECT_EQ(Signing(R"({"sub":"a","exp":1301})", R"({"exp":1001})").exp, 1001);
  EXPECT_EQ(Signing(R"({"sub":"a","exp":1e300})", "").exp, 1300);
}

TEST(SignedJwt, NeedsASubject) {
  EXPECT_EQ(Signing(R"({"client_id":"c"})", "").payload, own("c", R"(,"client_id":"c")"));
  EXPECT_EQ(Signing(R"({"sub":"","client_id":"c"})", "").payload, own("c", R"(,"client_id":"c")"));
  EXPECT_EQ(Signing(R"({"sub":null})", R"({"sub":"b"})").payload, own("b"));
  for (const std::string_view members : {R"({"username":"u"})", R"({"sub":"","client_id":""})", R"({"sub":1})",
                                         R"({"sub":["a"],"client_id":"c"})", R"({"client_id":true})"}) {
    EXPECT_EQ(Signing(members, "").verdict.outcome, Outcome::as_bad_response) << members;
  }
}

TEST(SignedJwt, HasNoControlCharacters) {
  for (const std::string_view members :
       {R"({"sub":"a\u0000"})", R"({"sub":"a","x":"\n"})", R"({"sub":"a","x\t":1})",
        R"({"sub":"a","x":[{"y":["\u007f"]}]})", R"({"sub":"a","x":{"\u001f":1}})", R"({"client_id":"c\r"})"}) {
    EXPECT_EQ(Signing(members, "").verdict.outcome, Outcome::as_bad_response) << members;
  }
  EXPECT_EQ(Signing(R"({"sub":"a","jwt":"\n","active":"\n","x":null})", "").payload, own("a"));
}

TEST(SignedJwt, HasClaimsOfAtMost64Kilobytes) {
  const std::size_t rest = own("a", R"(,"x":"")").size();
  const auto signing = [rest](std::size_t size) {
    return Signing(R"({"sub":"a","x":")" + std::string(size - rest, 'x') + "\"}", "");
  };
  EXPECT_EQ(signing(largest_signed_claims).verdict.outcome, Outcome::active);
  EXPECT_EQ(signing(largest_signed_claims + 1).verdict.outcome, Outcome::as_bad_response);
}

TEST(SignedJwt, IsRefusedWithoutMemory) {
  TestMemory plenty;
  const TestText text(R"({"sub":"a","x":[1]})");
  TokenInformation information;
  information.outcome = Outcome::active;
  information.members = Signing::parse(text, plenty);
  information.checked_claims = gather_checked_claims(nullptr, information.members, nullptr);
  expect_refusal_without_memory([&](Memory &memory) {
    SignedJwt jwt;
    const Verdict verdict = make_signed_jwt(settings(), information, 1, "A", memory, jwt);
    EXPECT_TRUE(verdict.outcome == Outcome::active || verdict.outcome == Outcome::internal_error);
    return verdict.outcome == Outcome::active;
  });
}

TEST(SignedJwt, ReservesTheGatewaysOwnClaims) {
  for (const std::string_view name : {"active", "token_type", "iss", "sub", "aud", "exp", "nbf", "iat", "jti"}) {
    EXPECT_TRUE(is_reserved_claim(name)) << name;
  }
  EXPECT_FALSE(is_reserved_claim("scope"));
  EXPECT_FALSE(is_reserved_claim("Sub"));
}

}  // namespace
}  // namespace oauth
