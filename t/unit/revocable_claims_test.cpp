#include "oauth/revocable_claims.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

const JsonValue *parse(const TestText &text, Memory &memory) {
  const char *problem = nullptr;
  return text.size() == 0 ? nullptr : parse_json(text.data(), text.size(), memory, problem);
}

using Listed = std::set<std::string>;

/// The claims as `kind=value@issuer:iat`; each stands there once.
Listed listed(std::string_view claims, std::string_view members) {
  TestMemory memory;
  const TestText claims_text(claims);
  const TestText members_text(members);
  RevocableClaim list[most_revocable_claims];
  const std::size_t count = list_revocable_claims(parse(claims_text, memory), parse(members_text, memory), list);
  EXPECT_LE(count, most_revocable_claims);
  Listed texts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string iat = list[i].iat == RevocableClaim::no_iat ? "none" : std::to_string(list[i].iat);
    texts.insert(std::string(name(list[i].kind)) + '=' + std::string(list[i].value) + '@' +
                 std::string(list[i].issuer) + ':' + iat);
  }
  EXPECT_EQ(texts.size(), count) << claims << ' ' << members;
  return texts;
}

struct Case {
  std::string_view claims;   ///< of the JWT; empty: none
  std::string_view members;  ///< of the JSON response; empty: none
  Listed expected;
};

void expect_listed(const Case *cases, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(listed(cases[i].claims, cases[i].members), cases[i].expected)
        << cases[i].claims << ' ' << cases[i].members;
  }
}

TEST(RevocableClaims, AreThoseOfTheJwtAndOfTheResponse) {
  const Case cases[] = {
      {"{}", "", {}},
      {"", "{}", {}},
      {R"({"iss":"i","iat":5,"aud":"x","username":"u","jwt_id":"j"})", "", {}},
      {R"({"jti":"j","sid":"s","sub":"u","client_id":"c","iss":"i","iat":5})",
       "",
       {"jti=j@i:5", "sid=s@i:5", "sub=u@i:5", "client_id=c@i:5"}},
      {"",
       R"({"jti":"j","sid":"s","sub":"u","client_id":"c","iss":"i","iat":5})",
       {"jti=j@i:5", "sid=s@i:5", "sub=u@i:5", "client_id=c@i:5"}},
      {R"({"jti":"j","sid":"s","sub":"u","client_id":"c","iss":"i","iat":5})",
       R"({"jti":"k","sid":"t","sub":"v","client_id":"d","iss":"h","iat":6})",
       {"jti=j@i:5", "sid=s@i:5", "sub=u@i:5", "client_id=c@i:5", "jti=k@h:6", "sid=t@h:6", "sub=v@h:6",
        "client_id=d@h:6"}},
      {R"({"sub":"u","iss":"i","iat":5})", R"({"sid":"s","iss":"h","iat":6})", {"sub=u@i:5", "sid=s@h:6"}},
      // The same of both stands there once; where only the issuer or the time differs, twice.
      {R"({"sub":"u","iss":"i","iat":5})", R"({"sub":"u","iss":"i","iat":5})", {"sub=u@i:5"}},
      {R"({"sub":"u","iss":"i","iat":5})", R"({"sub":"u","iss":"h","iat":5})", {"sub=u@i:5", "sub=u@h:5"}},
      {R"({"sub":"u","iss":"i","iat":5})", R"({"sub":"u","iss":"i","iat":6})", {"sub=u@i:5", "sub=u@i:6"}},
      {R"({"sub":"x","jti":"x"})", "", {"sub=x@:none", "jti=x@:none"}},
  };
  expect_listed(cases, std::size(cases));
}

TEST(RevocableClaims, HaveTheIssuerAndTheTimeOfTheOtherSourceWhereTheirOwnLacks) {
  const Case cases[] = {
      {R"({"sub":"u","iss":"i","iat":5})", R"({"sid":"s"})", {"sub=u@i:5", "sid=s@i:5"}},
      {R"({"sub":"u"})", R"({"sid":"s","iss":"h","iat":6})", {"sub=u@h:6", "sid=s@h:6"}},
      {R"({"sub":"u","iat":5})", R"({"sid":"s","iss":"h"})", {"sub=u@h:5", "sid=s@h:5"}},
      {R"({"sub":"u"})", R"({"sid":"s"})", {"sub=u@:none", "sid=s@:none"}},
      {R"({"sub":"u","iss":null,"iat":null})", R"({"iss":"h","iat":6})", {"sub=u@h:6"}},
      {R"({"sub":"u","iat":"5"})", R"({"iat":6})", {"sub=u@:6"}},
      {R"({"sub":"u","iat":1e-400})", R"({"iat":[6]})", {"sub=u@:none"}},
      {R"({"sub":"u","iss":""})", R"({"iss":"h"})", {"sub=u@h:none"}},
  };
  expect_listed(cases, std::size(cases));
}

TEST(RevocableClaims, AreStringsAndDigits) {
  const Case cases[] = {
      {R"({"sub":42,"iss":7,"iat":5.9})", "", {"sub=42@7:5"}},
      {R"({"sub":-4.20e1})", "", {"sub=-4.20e1@:none"}},
      {R"({"sub":"","jti":null,"sid":["s"],"client_id":{"a":"b"}})", "", {}},
      {R"({"sub":true,"sid":false})", "", {}},
      {R"({"sub":"u","iss":["i"]})", "", {"sub=u@:none"}},
      {R"({"sub":"u","iat":-0.5})", "", {"sub=u@:-1"}},
      {R"({"sub":"\u0061\u0000"})", "", {"sub=" + std::string("a\0", 2) + "@:none"}},
      {"", R"({"sub":42})", {"sub=42@:none"}},
      {R"({"sub":"42"})", R"({"sub":42})", {"sub=42@:none"}},
  };
  expect_listed(cases, std::size(cases));
}

}  // namespace
}  // namespace oauth
