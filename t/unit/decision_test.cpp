#include "oauth/decision.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "oauth/token_information_codec.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t now = 1700000000;

/// What a test gives to decide(); everything that is left out asks for nothing.
struct Case {
  std::string_view claims = "{}";
  std::string_view members;   ///< empty: a bare JWT
  std::string_view envelope;  ///< empty: none
  std::vector<std::string_view> scopes;
  ScopeMatch scope_match = ScopeMatch::all;
  std::vector<std::string_view> issuers;
  std::vector<std::string_view> audiences;
  std::int64_t leeway = 0;
  Confirmation confirmation = Confirmation::refuse;
  ProvenKeys proven;
  std::vector<std::string_view> acr_values;
  std::int64_t max_auth_age = Requirements::any_age;
  std::int64_t at = now;
};

Strings strings(const std::vector<std::string_view> &items) {
  return {items.data(), items.size()};
}

class Decided {
 public:
  explicit Decided(const Case &test) : claims_(test.claims), members_(test.members), envelope_(test.envelope) {
    TokenInformation information;
    information.outcome = Outcome::active;
    information.checked_claims = gather_checked_claims(parse(claims_), parse(members_), parse(envelope_));
    const Requirements requirements = {strings(test.scopes),    test.scope_match, strings(test.issuers),
                                       strings(test.audiences), test.leeway,      strings(test.acr_values),
                                       test.max_auth_age,       test.confirmation};
    verdict_ = decide(information, requirements, test.proven, test.at);
    expect_the_same_of_a_copy(information, requirements, test.proven, test.at);
  }

  std::string_view word() const { return meaning(verdict_.outcome).word; }
  const char *problem() const { return verdict_.problem; }

 private:
  const JsonValue *parse(const TestText &text) {
    if (text.size() == 0) {
      return nullptr;
    }
    const char *problem = nullptr;
    const JsonValue *value = parse_json(text.data(), text.size(), memory_, problem);
    EXPECT_NE(value, nullptr) << problem;
    return value;
  }

  /// A copy in the hot cache has only the claims that pack() knows of: a check of another one would be missed there.
  void expect_the_same_of_a_copy(const TokenInformation &information, const Requirements &requirements,
                                 const ProvenKeys &proven, std::int64_t at) {
    std::string_view packed;
    ASSERT_TRUE(write_text(
        memory_, [&](Writer &writer) { pack(writer, information); }, packed));
    TokenInformation copy;
    ASSERT_TRUE(unpack(packed, "a.b.c", memory_, copy));
    const Verdict again = oauth::decide(copy, requirements, proven, at);
    EXPECT_EQ(meaning(again.outcome).word, word());
    EXPECT_STREQ(again.problem, problem());
  }

  TestMemory memory_;
  TestText claims_;
  TestText members_;
  TestText envelope_;
  Verdict verdict_;
};

std::string_view decide(const Case &test) {
  return Decided(test).word();
}

TEST(Decision, StartsAsARefusal) {
  EXPECT_EQ(Verdict().outcome, Outcome::internal_error);
  EXPECT_EQ(decide(TokenInformation(), Requirements(), {}, now).outcome, Outcome::internal_error);

  TokenInformation without_claims;
  without_claims.outcome = Outcome::active;
  EXPECT_EQ(decide(without_claims, Requirements(), {}, now).outcome, Outcome::internal_error);
}

TEST(Decision, PassesOnWhatTheResponseSaid) {
  for (int i = 0; i <= static_cast<int>(Outcome::internal_error); ++i) {
    TokenInformation information;
    information.outcome = static_cast<Outcome>(i);
    if (information.outcome == Outcome::active) {
      continue;
    }
    information.checked_claims.gathered = true;
    information.problem = "the reason";
    const Verdict verdict = decide(information, Requirements(), {}, now);
    EXPECT_EQ(verdict.outcome, information.outcome);
    EXPECT_STREQ(verdict.problem, "the reason");
  }
}

TEST(Decision, AllowsATokenWithoutClaimsWhereNothingIsAsked) {
  EXPECT_EQ(decide(Case{}), "active");
  EXPECT_EQ(Decided(Case{}).problem(), nullptr);
}

// --- exp and nbf, in each of the three places ---

constexpr std::string_view Case::*places[] = {&Case::claims, &Case::members, &Case::envelope};

struct Time {
  std::string_view claims;
  std::int64_t leeway;
  std::int64_t at;
  std::string_view word;
};

constexpr Time times[] = {
    {R"({"exp":1700000001})", 0, now, "active"},
    {R"({"exp":1700000000})", 0, now, "expired"},  // exp = now is expired
    {R"({"exp":1699999999})", 0, now, "expired"},
    {R"({"exp":1700000000.5})", 0, now, "expired"},  // rounded down
    {R"({"exp":1700000001.0})", 0, now, "active"},
    {R"({"exp":1.700000001e9})", 0, now, "active"},
    {R"({"exp":0})", 0, now, "expired"},
    {R"({"exp":-1})", 0, now, "expired"},
    {R"({"exp":-1e300})", 0, now, "expired"},
    {R"({"exp":18446744073709551616})", 0, now, "active"},  // 2^64: the limit, no wrap to 0
    {R"({"exp":9223372036854775808})", 0, now, "active"},
    {R"({"exp":1e300})", 0, now, "active"},
    {R"({"exp":-9223372036854775809})", 0, now, "expired"},
    {R"({"e\u0078p":1699999999})", 0, now, "expired"},
    {R"({"EXP":0})", 0, now, "active"},
    {R"({"x":{"exp":0}})", 0, now, "active"},
    // leeway
    {R"({"exp":1699999991})", 10, now, "active"},
    {R"({"exp":1699999990})", 10, now, "expired"},
    {R"({"exp":0})", 10, now, "expired"},
    {R"({"exp":9223372036854775807})", 1, now, "active"},
    {R"({"exp":9223372036854775807})", highest, now, "active"},
    {R"({"exp":-9223372036854775808})", highest, now, "expired"},
    {R"({"exp":1})", highest, now, "active"},
    {R"({"exp":-9223372036854775808})", lowest, now, "expired"},
    {R"({"exp":1})", 0, lowest, "active"},
    {R"({"exp":1})", 0, highest, "expired"},
    // nbf
    {R"({"nbf":1700000000})", 0, now, "active"},
    {R"({"nbf":1700000001})", 0, now, "not_yet_valid"},
    {R"({"nbf":1700000000.5})", 0, now, "active"},  // rounded down
    {R"({"nbf":1699999999.5})", 0, now, "active"},
    {R"({"nbf":0})", 0, now, "active"},
    {R"({"nbf":-1})", 0, now, "active"},
    {R"({"nbf":18446744073709551616})", 0, now, "not_yet_valid"},
    {R"({"nbf":18446744073709551616})", 3600, now, "not_yet_valid"},
    {R"({"nbf":1e300})", 0, now, "not_yet_valid"},
    {R"({"nbf":1700000010})", 10, now, "active"},
    {R"({"nbf":1700000011})", 10, now, "not_yet_valid"},
    {R"({"nbf":9223372036854775807})", highest, now, "active"},
    {R"({"nbf":-9223372036854775808})", highest, now, "active"},
    {R"({"nbf":9223372036854775807})", lowest, now, "not_yet_valid"},
    {R"({"nbf":0})", lowest, lowest, "not_yet_valid"},
    // both, and neither
    {R"({"exp":1700000001,"nbf":1700000000})", 0, now, "active"},
    {R"({"exp":1699999999,"nbf":1700000001})", 0, now, "expired"},
    {R"({"iat":9999999999})", 0, now, "active"},
    // fractions: rounded down
    {R"({"nbf":1700000000.1458})", 0, now, "active"},
    {R"({"nbf":1700000000.99999999999999999})", 0, now, "active"},
    {R"({"nbf":1700000001.0})", 0, now, "not_yet_valid"},
    {R"({"nbf":1.7000000001458e9})", 0, now, "active"},
    {R"({"exp":1700000000.9})", 0, now, "expired"},
    {R"({"exp":1700000001.1})", 0, now, "active"},
    // null is as if it were not there
    {R"({"exp":null})", 0, now, "active"},
    {R"({"nbf":null})", 0, now, "active"},
    {R"({"exp":null,"nbf":1700000001})", 0, now, "not_yet_valid"},
    // no numbers
    {R"({"exp":"1700000001"})", 0, now, "as_bad_response"},
    {R"({"exp":true})", 0, now, "as_bad_response"},
    {R"({"exp":[1700000001]})", 0, now, "as_bad_response"},
    {R"({"exp":{}})", 0, now, "as_bad_response"},
    {R"({"exp":10e308})", 0, now, "as_bad_response"},
    {R"({"exp":1.1111111111111111e-2147483639})", 0, now, "as_bad_response"},
    {R"({"nbf":"0"})", 0, now, "as_bad_response"},
    {R"({"nbf":false})", 0, now, "as_bad_response"},
};

TEST(Decision, HoldsTimesAgainstNow) {
  for (const auto place : places) {
    for (const Time &time : times) {
      Case test;
      test.*place = time.claims;
      test.leeway = time.leeway;
      test.at = time.at;
      const Decided decided(test);
      EXPECT_EQ(decided.word(), time.word) << time.claims << ", leeway " << time.leeway << ", at " << time.at;
      EXPECT_EQ(decided.problem() != nullptr, time.word == "as_bad_response") << time.claims;
    }
  }
}

TEST(Decision, HoldsATokenToEveryTimeThatIsThere) {
  for (const auto place : places) {
    for (const std::string_view bad : {R"({"exp":1700000000})"sv, R"({"nbf":1700000001})"sv, R"({"exp":""})"sv}) {
      Case test;
      test.claims = test.members = test.envelope = R"({"exp":1700000001,"nbf":1700000000})";
      EXPECT_EQ(decide(test), "active");
      test.*place = bad;
      EXPECT_NE(decide(test), "active") << bad;
    }
  }
}

TEST(Decision, ExpiresWhileNothingButTheTimeChanges) {
  Case test;
  test.claims = R"({"exp":1700000000})";
  test.leeway = 5;
  for (std::int64_t second = -3; second <= 3; ++second) {
    test.at = 1700000005 + second;
    EXPECT_EQ(decide(test), second < 0 ? "active" : "expired") << second;
  }
}

// --- iss and aud ---

struct Named {
  std::string_view claim;   ///< the claim's value in the JWT; empty: absent
  std::string_view member;  ///< in the JSON response; empty: absent
  std::vector<std::string_view> allowed;
  bool iss;
  bool aud;
};

std::string object(std::string_view name, std::string_view value) {
  return value.empty() ? "{}" : "{\"" + std::string(name) + "\":" + std::string(value) + "}";
}

TEST(Decision, HoldsIssuerAndAudience) {
  const Named cases[] = {
      {"", "", {}, true, true},
      {"7", "[]", {}, true, true},
      {R"("a")", "", {"a"}, true, true},
      {R"("a")", "", {"b", "a"}, true, true},
      {R"("\u0061")", "", {"a"}, true, true},
      // absent where required; the member does not stand in
      {"", "", {"a"}, false, false},
      {"", R"("a")", {"a"}, false, false},
      // another
      {R"("b")", "", {"a"}, false, false},
      {R"("")", "", {"a"}, false, false},
      {R"("A")", "", {"a"}, false, false},
      {R"("a/")", "", {"a"}, false, false},
      {R"("a ")", "", {"a"}, false, false},
      {R"("a b")", "", {"a"}, false, false},
      {R"("ab")", "", {"a", "b"}, false, false},
      {R"("a\u0000")", "", {"a"}, false, false},
      // arrays, for aud only
      {R"(["a"])", "", {"a"}, false, true},
      {R"(["x","a"])", "", {"a"}, false, true},
      {R"([1,null,["b"],"a"])", "", {"a"}, false, false},
      {R"(["a",1])", "", {"a"}, false, false},
      {R"(["x","y"])", "", {"a"}, false, false},
      {R"([["a"]])", "", {"a"}, false, false},
      {R"([{"a":"a"}])", "", {"a"}, false, false},
      {R"([])", "", {"a"}, false, false},
      // other kinds
      {"7", "", {"7"}, false, false},
      {"[7]", "", {"7"}, false, false},
      {"true", "", {"true"}, false, false},
      {"null", "", {""}, false, false},
      {"{}", "", {""}, false, false},
      {R"({"a":"a"})", "", {"a"}, false, false},
      // both must hold
      {R"("a")", R"("a")", {"a"}, true, true},
      {R"("a")", R"("b")", {"a", "b"}, true, true},
      {R"("a")", R"("b")", {"a"}, false, false},
      {R"("b")", R"("a")", {"a"}, false, false},
      {R"("a")", "null", {"a"}, true, true},
      {"null", R"("a")", {"a"}, false, false},
      {R"("a")", "7", {"a"}, false, false},
      {R"("a")", R"(["b","a"])", {"a"}, false, true},
      {R"("a")", R"([])", {"a"}, false, false},
  };
  for (const Named &named : cases) {
    for (const bool iss : {true, false}) {
      const std::string claims = object(iss ? "iss" : "aud", named.claim);
      const std::string members = object(iss ? "iss" : "aud", named.member);
      Case test;
      test.claims = claims;
      test.members = members;
      (iss ? test.issuers : test.audiences) = named.allowed;
      const bool holds = iss ? named.iss : named.aud;
      EXPECT_EQ(decide(test), holds ? "active" : iss ? "issuer" : "audience") << claims << members;
    }
  }
}

TEST(Decision, HoldsIssuerAndAudienceOfABareJwt) {
  Case test;
  test.claims = R"({"iss":"i","aud":["a"]})";
  test.issuers = {"i"};
  test.audiences = {"a"};
  EXPECT_EQ(decide(test), "active");
  test.issuers = {"j"};
  EXPECT_EQ(decide(test), "issuer");
  test.issuers = {"i"};
  test.audiences = {"b"};
  EXPECT_EQ(decide(test), "audience");
}

TEST(Decision, DoesNotAskTheEnvelopeForIssuerAndAudience) {
  Case test;
  test.claims = R"({"iss":"i","aud":"a"})";
  test.members = "{}";
  test.envelope = R"({"iss":"another","aud":"another"})";
  test.issuers = {"i"};
  test.audiences = {"a"};
  EXPECT_EQ(decide(test), "active");
}

// --- sender-constrained tokens ---

TEST(Decision, RefusesSenderConstrainedTokensUnlessToldOtherwise) {
  for (const auto place : {&Case::claims, &Case::members}) {
    for (const std::string_view constrained :
         {R"({"cnf":{"jkt":"x"}})"sv, R"({"cnf":{"x5t#S256":"x"}})"sv, R"({"cnf":{}})"sv, R"({"cnf":[]})"sv,
          R"({"token_type":"DPoP"})"sv, R"({"token_type":"dpop"})"sv, R"({"token_type":"DPOP"})"sv,
          R"({"token_type":"Bearer","cnf":{"jkt":"x"}})"sv}) {
      Case test;
      test.*place = constrained;
      EXPECT_EQ(decide(test), "bound") << constrained;
      test.confirmation = Confirmation::pass;
      EXPECT_EQ(decide(test), "active") << constrained;
    }
    for (const std::string_view free :
         {R"({"token_type":"Bearer"})"sv, R"({"token_type":"DPoPx"})"sv, R"({"token_type":null})"sv,
          R"({"cnf":null})"sv, R"({"x":{"cnf":{}}})"sv, R"({"CNF":{}})"sv}) {
      Case test;
      test.*place = free;
      EXPECT_EQ(decide(test), "active") << free;
    }
  }
}

// --- scopes ---

struct Scopes {
  std::string_view claims;
  std::string_view members;
  bool holds;
};

TEST(Decision, TakesScopesFromTheJsonResponseElseFromTheJwt) {
  for (const Scopes &scopes : {
           Scopes{R"({"scope":"a"})", "", true},
           Scopes{R"({"scope":["a"]})", "", true},
           Scopes{R"({"scp":"a"})", "", true},
           Scopes{R"({"scp":["a"]})", "", true},
           Scopes{"{}", "", false},
           Scopes{"{}", "{}", false},
           Scopes{R"({"scope":"b"})", "", false},
           // scope before scp
           Scopes{R"({"scp":"a","scope":"b"})", "", false},
           Scopes{R"({"scp":"a","scope":""})", "", false},
           Scopes{R"({"scp":"a","scope":null})", "", true},
           Scopes{R"({"scope":["a b"]})", "", false},
           Scopes{R"({"scp":"b","scope":"a"})", "", true},
           // the JSON response before the JWT, even where it is empty
           Scopes{"{}", R"({"scope":"a"})", true},
           Scopes{"{}", R"({"scope":["a"]})", true},
           Scopes{R"({"scope":"b"})", R"({"scope":"a"})", true},
           Scopes{R"({"scope":"a"})", R"({"scope":"b"})", false},
           Scopes{R"({"scope":"a"})", R"({"scope":""})", false},
           Scopes{R"({"scope":"a"})", R"({"scope":[]})", false},
           Scopes{R"({"scope":"a"})", R"({"scope":null})", true},
           Scopes{R"({"scope":null})", R"({"scope":null})", false},
           Scopes{R"({"scope":"a"})", "{}", true},
           Scopes{R"({"scp":"a"})", "{}", true},
           Scopes{R"({"scp":"a"})", R"({"scope":""})", false},
           // scp of the JSON response is not looked at
           Scopes{"{}", R"({"scp":"a"})", false},
           Scopes{R"({"scope":"a"})", R"({"scp":"b"})", true},
       }) {
    Case test;
    test.claims = scopes.claims;
    test.members = scopes.members;
    EXPECT_EQ(decide(test), "active");
    test.scopes = {"a"};
    EXPECT_EQ(decide(test), scopes.holds ? "active" : "insufficient_scope") << scopes.claims << scopes.members;
  }
}

// CVE-2021-32701: what one location was satisfied with says nothing of another.
TEST(Decision, HoldsTheSameTokenToTheRequirementsOfEachLocation) {
  Case test;
  test.claims = R"({"scope":"read"})";
  test.scopes = {"read"};
  EXPECT_EQ(decide(test), "active");
  test.scopes = {"write"};
  EXPECT_EQ(decide(test), "insufficient_scope");
  test.scopes = {"read", "write"};
  EXPECT_EQ(decide(test), "insufficient_scope");
  test.scope_match = ScopeMatch::any;
  EXPECT_EQ(decide(test), "active");
  test.scopes = {"re*"};
  EXPECT_EQ(decide(test), "active");
}

TEST(Decision, ChecksInOrder) {
  Case test;
  test.claims = R"({"exp":0,"nbf":9999999999,"iss":"x","aud":"x","cnf":{}})";
  test.issuers = {"i"};
  test.audiences = {"a"};
  test.scopes = {"s"};
  EXPECT_EQ(decide(test), "expired");
  test.claims = R"({"nbf":9999999999,"iss":"x","aud":"x","cnf":{}})";
  EXPECT_EQ(decide(test), "not_yet_valid");
  test.claims = R"({"iss":"x","aud":"x","cnf":{}})";
  EXPECT_EQ(decide(test), "issuer");
  test.claims = R"({"iss":"i","aud":"x","cnf":{}})";
  EXPECT_EQ(decide(test), "audience");
  test.claims = R"({"iss":"i","aud":"a","cnf":{}})";
  EXPECT_EQ(decide(test), "bound");
  test.claims = R"({"iss":"i","aud":"a"})";
  EXPECT_EQ(decide(test), "insufficient_scope");
  test.claims = R"({"iss":"i","aud":"a","scope":"s"})";
  EXPECT_EQ(decide(test), "active");
}

// --- RFC 9470: acr and auth_time ---

std::string_view with_acr(std::string_view claims, std::string_view members = {}) {
  Case test;
  test.claims = claims;
  test.members = members;
  test.acr_values = {"gold", "urn:silver"};
  return decide(test);
}

TEST(Decision, WantsOneOfTheAcrValues) {
  EXPECT_EQ(with_acr(R"({"acr":"gold"})"), "active");
  EXPECT_EQ(with_acr(R"({"acr":"urn:silver"})"), "active");
  for (const std::string_view claims :
       {R"({})", R"({"acr":"bronze"})", R"({"acr":"Gold"})", R"({"acr":"gold urn:silver"})", R"({"acr":["gold"]})",
        R"({"acr":1})", R"({"acr":null})", R"({"acr":""})"}) {
    EXPECT_EQ(with_acr(claims), "acr") << claims;
  }
}

TEST(Decision, TakesAcrFromTheJwtElseFromTheResponse) {
  EXPECT_EQ(with_acr("{}", R"({"acr":"gold"})"), "active");
  EXPECT_EQ(with_acr(R"({"acr":null})", R"({"acr":"gold"})"), "active");
  EXPECT_EQ(with_acr(R"({"acr":"bronze"})", R"({"acr":"gold"})"), "acr");
  EXPECT_EQ(with_acr({}, R"({"acr":"gold"})"), "active") << "no JWT";
}

std::string_view with_age(std::int64_t max_auth_age, std::string_view claims, std::string_view members = {}) {
  Case test;
  test.claims = claims;
  test.members = members;
  test.max_auth_age = max_auth_age;
  test.leeway = 1000;  // it does not lengthen the age, and a clock may be so far ahead
  return decide(test);
}

TEST(Decision, WantsARecentAuthentication) {
  EXPECT_EQ(with_age(60, R"({"auth_time":1699999940})"), "active");
  EXPECT_EQ(with_age(60, R"({"auth_time":1699999939})"), "auth_time");
  EXPECT_EQ(with_age(60, R"({"auth_time":1699999940.9})"), "active");
  EXPECT_EQ(with_age(60, R"({"auth_time":1700001000})"), "active") << "a clock that is ahead";
  EXPECT_EQ(with_age(60, R"({"auth_time":1700001001})"), "auth_time");
  EXPECT_EQ(with_age(60, R"({"auth_time":1700000000000})"), "auth_time") << "milliseconds";
  EXPECT_EQ(with_age(60, R"({"auth_time":1e300})"), "auth_time");
  EXPECT_EQ(with_age(60, R"({"auth_time":-1e300})"), "auth_time");
  EXPECT_EQ(with_age(highest, R"({"auth_time":1})"), "active") << "no overflow";
  for (const std::string_view claims : {R"({})", R"({"auth_time":"1700000000"})", R"({"auth_time":null})",
                                        R"({"auth_time":true})", R"({"auth_time":[1700000000]})"}) {
    EXPECT_EQ(with_age(60, claims), "auth_time") << claims;
  }
}

TEST(Decision, AllowsAuthTimeFiveSecondsAheadWithoutALeeway) {
  Case test;
  test.max_auth_age = 60;
  test.claims = R"({"auth_time":1700000005})";
  EXPECT_EQ(decide(test), "active");
  test.claims = R"({"auth_time":1700000006})";
  EXPECT_EQ(decide(test), "auth_time");
}

TEST(Decision, TakesAuthTimeFromTheJwtElseFromTheResponse) {
  EXPECT_EQ(with_age(60, "{}", R"({"auth_time":1700000000})"), "active");
  EXPECT_EQ(with_age(60, R"({"auth_time":1})", R"({"auth_time":1700000000})"), "auth_time");
}

TEST(Decision, LooksAtScopesBeforeTheAuthentication) {
  Case test;
  test.scopes = {"write"};
  test.acr_values = {"gold"};
  test.max_auth_age = 1;
  EXPECT_EQ(decide(test), "insufficient_scope");
  test.claims = R"({"scope":"write"})";
  EXPECT_EQ(decide(test), "acr");
  test.claims = R"({"scope":"write","acr":"gold"})";
  EXPECT_EQ(decide(test), "auth_time");
}

}  // namespace
}  // namespace oauth
