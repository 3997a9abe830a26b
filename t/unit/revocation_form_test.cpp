#include "oauth/revocation_form.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::int64_t now = 1700000000;

std::string shown(std::string_view body) {
  TestMemory memory;
  const RevocationRequest request = read_revocation_form(body, now, memory);
  const Revocation &revocation = request.revocation;
  if (request.problem != nullptr) {
    EXPECT_TRUE(revocation.value.empty() && request.logout_token.empty()) << body;
    return request.problem;
  }
  if (!request.logout_token.empty()) {
    EXPECT_TRUE(revocation.value.empty()) << body;
    return "logout_token " + std::string(request.logout_token);
  }
  return std::string(name(revocation.kind)) + ' ' + std::string(revocation.value) + " of '" +
         std::string(revocation.issuer) + "' before " + std::to_string(revocation.before);
}

struct Case {
  std::string_view body;
  std::string_view expected;
};

TEST(RevocationForm, NamesWhatIsRevoked) {
  constexpr Case cases[] = {
      {"token=abc", "token abc of '' before 1700000000"},
      {"token=abc&token_type_hint=access_token", "token abc of '' before 1700000000"},
      {"token_type_hint=&token=abc", "token abc of '' before 1700000000"},
      {"token=a%2Bb+c", "token a+b c of '' before 1700000000"},
      {"jti=1", "jti 1 of '' before 1700000000"},
      {"sid=s", "sid s of '' before 1700000000"},
      {"sub=alice", "sub alice of '' before 1700000000"},
      {"client_id=app", "client_id app of '' before 1700000000"},
      {"%73ub=alice", "sub alice of '' before 1700000000"},
      {"sub=alice&iss=https%3A%2F%2Fas", "sub alice of 'https://as' before 1700000000"},
      {"iss=as&before=1&sid=s", "sid s of 'as' before 1"},
      {"jti=1&before=0", "jti 1 of '' before 0"},
      {"jti=1&before=007", "jti 1 of '' before 7"},
      {"jti=1&before=1700003600", "jti 1 of '' before 1700003600"},
      {"client_id=c&before=9223372036854775807", "client_id c of '' before 9223372036854775807"},
      {"logout_token=a.b.c", "logout_token a.b.c"},
      {"logout_token=a%2eb.c", "logout_token a.b.c"},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(shown(row.body), row.expected) << row.body;
  }
}

TEST(RevocationForm, IsRefusedWhereItNamesNothingOrMoreThanOneThing) {
  constexpr std::string_view none = "the form has none of token, jti, sid, sub, client_id, logout_token";
  for (const std::string_view body : {"", "iss=as", "before=1", "token_type_hint=x", "iss=as&before=1"}) {
    EXPECT_EQ(shown(body), none) << body;
  }
  constexpr std::string_view names[] = {"token", "jti", "sid", "sub", "client_id", "logout_token"};
  for (const std::string_view one : names) {
    for (const std::string_view other : names) {
      const std::string body = std::string(one) + "=x&" + std::string(other) + "=y";
      EXPECT_EQ(shown(body), one == other
                                 ? "the form has a parameter twice"sv
                                 : "the form names more than one of token, jti, sid, sub, client_id, logout_token"sv)
          << body;
    }
    EXPECT_EQ(shown(std::string(one) + "="), "the form names an empty value") << one;
    EXPECT_EQ(shown(one), "the form names an empty value") << one;
  }
}

TEST(RevocationForm, RefusesWhatDoesNotBelongToIt) {
  constexpr std::string_view claims_only = "iss and before belong to jti, sid, sub and client_id";
  constexpr std::string_view token_only = "token_type_hint belongs to token";
  constexpr std::string_view unknown = "the form has an unknown parameter";
  constexpr Case cases[] = {
      {"token=a&iss=as", claims_only},
      {"token=a&before=1", claims_only},
      {"token=a&iss=", claims_only},
      {"logout_token=a&iss=as", claims_only},
      {"before=1&logout_token=a", claims_only},
      {"sub=a&token_type_hint=access_token", token_only},
      {"token_type_hint=&jti=a", token_only},
      {"logout_token=a&token_type_hint=x", token_only},
      {"sub=a&iss=", "iss is empty"},
      {"sub=a&iss", "iss is empty"},
      {"sub=a&x=1", unknown},
      {"token=a&client_secret=b", unknown},
      {"x=1", unknown},
      {"Sub=a", unknown},
      {"sub%00=a", unknown},
      {"sub+=a", unknown},
      {"sub=a&", "sub a of '' before 1700000000"},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(shown(row.body), row.expected) << row.body;
  }
}

TEST(RevocationForm, TakesOnlySecondsForBefore) {
  for (const std::string_view before : {"", "-1", "-0", "%2B1", "+1", "1+", "1.0", "1e3", "0x1", "now", "1%00",
                                        "9223372036854775808", "18446744073709551616", "%D9%A1"}) {
    EXPECT_EQ(shown("sub=a&before=" + std::string(before)), "before is no number of seconds since 1970") << before;
  }
}

TEST(RevocationForm, IsRefusedWhereItIsNoForm) {
  EXPECT_EQ(shown("sub=%"), "the form has a % that is no escape");
  EXPECT_EQ(shown("sub=a&sub=b"), "the form has a parameter twice");
  EXPECT_EQ(shown("sub=a&=b"), "the form has a parameter without a name");
}

TEST(RevocationForm, IsRefusedWithoutMemory) {
  expect_refusal_without_memory([](TestMemory &memory) {
    const RevocationRequest request = read_revocation_form("%73ub=%61&iss=b+c", now, memory);
    EXPECT_TRUE(request.problem == nullptr || request.problem == "no memory to read the form"sv);
    return request.problem == nullptr;
  });
}

}  // namespace
}  // namespace oauth
