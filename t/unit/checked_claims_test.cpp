#include "oauth/checked_claims.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

class Gathered {
 public:
  Gathered(std::string_view claims, std::string_view members, std::string_view envelope)
      : claims_(claims), members_(members), envelope_(envelope) {
    checked_ = gather_checked_claims(parse(claims_), parse(members_), parse(envelope_));
  }
  const CheckedClaims *operator->() const { return &checked_; }

 private:
  const JsonValue *parse(const TestText &text) {
    const char *problem = nullptr;
    return text.size() == 0 ? nullptr : parse_json(text.data(), text.size(), memory_, problem);
  }

  TestMemory memory_;
  TestText claims_;
  TestText members_;
  TestText envelope_;
  CheckedClaims checked_;
};

/// The bytes of an object that members take.
class Covered {
 public:
  explicit Covered(const CheckedClaims &claims) : begin_(reinterpret_cast<const char *>(&claims)) {}

  template <typename T>
  void operator()(const T &member) {
    const auto offset = static_cast<std::size_t>(reinterpret_cast<const char *>(&member) - begin_);
    EXPECT_GE(offset, end_) << "visited before, or out of order";
    EXPECT_EQ((end_ + alignof(T) - 1) / alignof(T) * alignof(T), offset) << "a member before this one is not visited";
    end_ = offset + sizeof(T);
  }

  std::size_t end() const { return end_; }

 private:
  const char *begin_;
  std::size_t end_ = 0;
};

// A list that lacks a member altogether does not compile.
TEST(CheckedClaims, AreAllVisited) {
  const CheckedClaims claims;
  Covered covered(claims);
  for_each_member(claims, [&covered](const auto &member) { covered(member); });
  EXPECT_GT(covered.end() + alignof(CheckedClaims), sizeof(claims)) << "the last member is not visited";
}

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();

TEST(CheckedClaims, HaveTheEarliestExpOfAllThree) {
  const struct {
    std::string_view claims;
    std::string_view members;
    std::string_view envelope;
    std::int64_t expected;
  } cases[] = {
      {"{}", "", "", CheckedClaims::never},
      {R"({"exp":5})", "", "", 5},
      {R"({"exp":5})", R"({"exp":4})", "", 4},
      {R"({"exp":4})", R"({"exp":5})", "", 4},
      {R"({"exp":5})", "{}", R"({"exp":3})", 3},
      {"{}", R"({"exp":4})", "", 4},
      {"{}", "", R"({"exp":3})", 3},
      {R"({"exp":5.9})", "", "", 5},
      {R"({"exp":-0.5})", "", "", -1},
      {R"({"exp":1e300})", "", "", CheckedClaims::never},
      {R"({"exp":-1e300})", "", "", lowest},
      {R"({"nbf":1,"iat":1,"x":{"exp":1}})", "", "", CheckedClaims::never},
  };
  for (const auto &test : cases) {
    const Gathered checked(test.claims, test.members, test.envelope);
    EXPECT_EQ(checked->exp, test.expected) << test.claims << ' ' << test.members << ' ' << test.envelope;
    EXPECT_FALSE(checked->exp_is_no_number);
    EXPECT_TRUE(checked->gathered);
  }
}

TEST(CheckedClaims, HaveTheLatestNbfOfAllThree) {
  EXPECT_EQ(Gathered("{}", "", "")->nbf, CheckedClaims::always);
  EXPECT_EQ(Gathered(R"({"nbf":1})", R"({"nbf":3})", R"({"nbf":2})")->nbf, 3);
  EXPECT_EQ(Gathered(R"({"nbf":1.9})", "", "")->nbf, 1);
}

TEST(CheckedClaims, SayWhichTimeIsNoNumberWhereverItIs) {
  for (const std::string_view broken : {R"({"exp":"1"})", R"({"exp":{}})", R"({"exp":[1]})"}) {
    EXPECT_TRUE(Gathered(broken, "{}", "{}")->exp_is_no_number) << broken;
    EXPECT_TRUE(Gathered(R"({"exp":1})", broken, "{}")->exp_is_no_number) << broken;
    EXPECT_TRUE(Gathered(R"({"exp":1})", "{}", broken)->exp_is_no_number) << broken;
    EXPECT_FALSE(Gathered(broken, "{}", "{}")->nbf_is_no_number) << broken;
  }
  EXPECT_TRUE(Gathered(R"({"nbf":true})", "", "")->nbf_is_no_number);
}

TEST(CheckedClaims, TakeTheScopeOfTheResponseThenOfTheJwtThenScp) {
  EXPECT_EQ(Gathered(R"({"scope":"jwt","scp":"scp"})", R"({"scope":""})", "")->scope->text, "");
  EXPECT_EQ(Gathered(R"({"scope":"jwt","scp":"scp"})", "{}", "")->scope->text, "jwt");
  EXPECT_EQ(Gathered(R"({"scp":"scp"})", R"({"scp":"response"})", "")->scope->text, "scp");
  EXPECT_EQ(Gathered("{}", R"({"scp":"response"})", R"({"scope":"envelope"})")->scope, nullptr);
}

TEST(CheckedClaims, KeepTheIssuerAndTheAudienceOfTheJwtApartFromThoseOfTheResponse) {
  const Gathered checked(R"({"iss":"a","aud":"b"})", R"({"iss":"c","aud":"d"})", R"({"iss":"e","aud":"f"})");
  EXPECT_EQ(checked->issuer->text, "a");
  EXPECT_EQ(checked->issuer_of_response->text, "c");
  EXPECT_EQ(checked->audience->text, "b");
  EXPECT_EQ(checked->audience_of_response->text, "d");
  EXPECT_EQ(Gathered("{}", "", R"({"iss":"e"})")->issuer, nullptr);
}

TEST(CheckedClaims, TakeNullForAbsentWhereverItIs) {
  constexpr std::string_view nothing =
      R"({"exp":null,"nbf":null,"iss":null,"aud":null,"scope":null,"scp":null,"cnf":null,"token_type":null})";
  const Gathered checked(nothing, nothing, nothing);
  EXPECT_EQ(checked->exp, CheckedClaims::never);
  EXPECT_EQ(checked->nbf, CheckedClaims::always);
  EXPECT_FALSE(checked->exp_is_no_number || checked->nbf_is_no_number || checked->is_sender_constrained);
  for (const JsonValue *value : {checked->issuer, checked->issuer_of_response, checked->audience,
                                 checked->audience_of_response, checked->scope}) {
    EXPECT_EQ(value, nullptr);
  }
  EXPECT_EQ(Gathered(R"({"scope":"jwt"})", nothing, "")->scope->text, "jwt");
  EXPECT_EQ(Gathered(R"({"scope":null,"scp":"scp"})", nothing, "")->scope->text, "scp");
  EXPECT_EQ(Gathered(R"({"exp":7,"nbf":3})", nothing, nothing)->exp, 7);
}

TEST(CheckedClaims, SeeABindingInTheJwtAndInTheResponse) {
  for (const std::string_view bound : {R"({"cnf":{}})", R"({"cnf":false})", R"({"token_type":"dpop"})"}) {
    EXPECT_TRUE(Gathered(bound, "", "")->is_sender_constrained) << bound;
    EXPECT_TRUE(Gathered("{}", bound, "")->is_sender_constrained) << bound;
    EXPECT_FALSE(Gathered("{}", "{}", bound)->is_sender_constrained) << "the envelope is not the token";
  }
}

}  // namespace
}  // namespace oauth
