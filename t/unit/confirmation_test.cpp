#include "oauth/confirmation.h"

#include <gtest/gtest.h>

#include <string_view>

#include "test_memory.h"

namespace oauth {
namespace {

using namespace jose;

/// What a client has shown.
constexpr ProvenKeys nothing;
constexpr ProvenKeys key_a = {true, "A"};
constexpr ProvenKeys key_b = {true, "B"};
constexpr ProvenKeys certificate_c = {false, "", "C"};
constexpr ProvenKeys certificate_d = {false, "", "D"};
constexpr ProvenKeys both = {true, "A", "C"};
/// A key that came with the scheme Bearer, and the scheme without a key: no request is so, and neither proves anything.
constexpr ProvenKeys key_of_bearer = {false, "A"};
constexpr ProvenKeys scheme_alone = {true, ""};

Verdict check(std::string_view members, std::string_view claims, Confirmation confirmation, const ProvenKeys &proven) {
  TestMemory memory;
  TestText members_text(members);
  TestText claims_text(claims);
  const char *problem = nullptr;
  const JsonValue *members_value =
      members.empty() ? nullptr : parse_json(members_text.data(), members_text.size(), memory, problem);
  const JsonValue *claims_value = parse_json(claims_text.data(), claims_text.size(), memory, problem);
  EXPECT_NE(claims_value, nullptr) << claims;
  const CheckedClaims checked = gather_checked_claims(claims_value, members_value, nullptr);
  const Verdict verdict = check_confirmation(checked, confirmation, proven);
  EXPECT_EQ(verdict.outcome != Outcome::active, verdict.problem != nullptr);
  return verdict;
}

struct Row {
  std::string_view cnf;  ///< its value, as JSON
  ProvenKeys proven;
  Outcome outcome;
};

constexpr std::string_view jkt = R"({"jkt":"A"})";
constexpr std::string_view x5t = R"({"x5t#S256":"C"})";
constexpr std::string_view two = R"({"jkt":"A","x5t#S256":"C"})";

const Row rows[] = {
    // DPoP
    {jkt, key_a, Outcome::active},
    {jkt, both, Outcome::active},
    {jkt, key_b, Outcome::dpop_proof},
    {jkt, scheme_alone, Outcome::dpop_proof},
    {jkt, nothing, Outcome::bound},
    {jkt, certificate_c, Outcome::bound},
    {jkt, key_of_bearer, Outcome::bound},
    {R"({"jkt":"a"})", key_a, Outcome::dpop_proof},
    {R"({"jkt":"A "})", key_a, Outcome::dpop_proof},
    {R"({"jkt":""})", key_a, Outcome::dpop_proof},
    {R"({"jkt":""})", scheme_alone, Outcome::dpop_proof},
    {R"({"jkt":"\u0041"})", key_a, Outcome::active},
    {R"({"jkt":"A\u0000"})", key_a, Outcome::dpop_proof},
    // mutual TLS
    {x5t, certificate_c, Outcome::active},
    {x5t, certificate_d, Outcome::certificate},
    {x5t, nothing, Outcome::certificate},
    {x5t, both, Outcome::bound},
    {x5t, key_a, Outcome::bound},
    {R"({"x5t#S256":""})", nothing, Outcome::certificate},
    {R"({"x5t#s256":"C"})", certificate_c, Outcome::bound},
    // both
    {two, both, Outcome::active},
    {two, key_a, Outcome::certificate},
    {two, certificate_c, Outcome::bound},
    {two, {true, "B", "C"}, Outcome::dpop_proof},
    {two, {true, "A", "D"}, Outcome::certificate},
    {two, {true, "B", "D"}, Outcome::dpop_proof},
    // members that are null count as absent
    {R"({"jkt":"A","x5t#S256":null})", key_a, Outcome::active},
    {R"({"jkt":"A","jwk":null})", key_a, Outcome::active},
    {R"({"jkt":null})", key_a, Outcome::bound},
    {R"({"jkt":null,"x5t#S256":null})", nothing, Outcome::bound},
    // what Keycloak puts beside a jkt
    {R"({"jkt":"A","kc-jkt-type":"DPoP"})", key_a, Outcome::active},
    {R"({"kc-jkt-type":"DPoP","jkt":"A","x5t#S256":"C"})", both, Outcome::active},
    {R"({"jkt":"A","kc-jkt-type":"DPoP"})", key_b, Outcome::dpop_proof},
    {R"({"jkt":"A","kc-jkt-type":"dpop"})", key_a, Outcome::bound},
    {R"({"jkt":"A","kc-jkt-type":"mTLS"})", key_a, Outcome::bound},
    {R"({"jkt":"A","kc-jkt-type":["DPoP"]})", key_a, Outcome::bound},
    {R"({"jkt":"A","kc-jkt-type":true})", key_a, Outcome::bound},
    {R"({"jkt":"A","KC-jkt-type":"DPoP"})", key_a, Outcome::bound},
    {R"({"kc-jkt-type":"DPoP"})", key_a, Outcome::bound},
    {R"({"x5t#S256":"C","kc-jkt-type":"DPoP"})", certificate_c, Outcome::bound},
    // what is not understood
    {R"({})", nothing, Outcome::bound},
    {R"({})", key_a, Outcome::bound},
    {R"("A")", key_a, Outcome::bound},
    {R"(["A"])", key_a, Outcome::bound},
    {R"([{"jkt":"A"}])", key_a, Outcome::bound},
    {R"(true)", key_a, Outcome::bound},
    {R"(false)", nothing, Outcome::bound},
    {R"(0)", nothing, Outcome::bound},
    {R"({"jkt":"A","jwk":{}})", key_a, Outcome::bound},
    {R"({"jwk":{"kty":"EC"}})", key_a, Outcome::bound},
    {R"({"kid":"A"})", key_a, Outcome::bound},
    {R"({"JKT":"A"})", key_a, Outcome::bound},
    {R"({"jkt":"A","x5t":"C"})", both, Outcome::bound},
    {R"({"jkt":["A"]})", key_a, Outcome::bound},
    {R"({"jkt":{}})", key_a, Outcome::bound},
    {R"({"jkt":1})", key_a, Outcome::bound},
    {R"({"jkt":"A","x5t#S256":1})", both, Outcome::bound},
    {R"({"jkt":"A","":"x"})", key_a, Outcome::bound},
};

std::string with_cnf(std::string_view cnf) {
  return R"({"active":true,"cnf":)" + std::string(cnf) + "}";
}

constexpr Confirmation checking[] = {Confirmation::verify, Confirmation::require};

TEST(Confirmation, HoldsATokenToItsCnfWhereverThatIs) {
  for (const Confirmation confirmation : checking) {
    for (const Row &row : rows) {
      const std::string text = with_cnf(row.cnf);
      EXPECT_EQ(check("", text, confirmation, row.proven).outcome, row.outcome) << "JWT: " << row.cnf;
      EXPECT_EQ(check(text, "{}", confirmation, row.proven).outcome, row.outcome) << "response: " << row.cnf;
      EXPECT_EQ(check(text, text, confirmation, row.proven).outcome, row.outcome) << "both: " << row.cnf;
    }
  }
}

// Where both have a cnf, both must hold; each may name another method.
TEST(Confirmation, HoldsATokenToBothOfTwoCnf) {
  const struct {
    std::string_view response;
    std::string_view jwt;
    ProvenKeys proven;
    Outcome outcome;
  } cases[] = {
      {jkt, R"({"jkt":"B"})", key_a, Outcome::dpop_proof},
      {jkt, R"({"jkt":"B"})", key_b, Outcome::dpop_proof},
      {x5t, R"({"x5t#S256":"D"})", certificate_c, Outcome::certificate},
      {x5t, R"({"x5t#S256":"D"})", certificate_d, Outcome::certificate},
      {jkt, x5t, both, Outcome::active},
      {jkt, x5t, key_a, Outcome::certificate},
      {jkt, x5t, certificate_c, Outcome::bound},
      {two, jkt, both, Outcome::active},
      {two, jkt, key_a, Outcome::certificate},
      {jkt, "{}", key_a, Outcome::bound},
      {jkt, R"({"kid":"x"})", key_a, Outcome::bound},
      {jkt, "null", key_a, Outcome::active},
  };
  for (const auto &test : cases) {
    const std::string response = with_cnf(test.response);
    const std::string jwt = with_cnf(test.jwt);
    for (const Confirmation confirmation : checking) {
      EXPECT_EQ(check(response, jwt, confirmation, test.proven).outcome, test.outcome) << response << jwt;
      EXPECT_EQ(check(jwt, response, confirmation, test.proven).outcome, test.outcome) << jwt << response;
    }
  }
}

TEST(Confirmation, OfATokenOfTheTypeDpopIsAJkt) {
  for (const std::string_view type : {R"("DPoP")", R"("dpop")", R"("DPOP")"}) {
    const std::string unbound = R"({"token_type":)" + std::string(type) + "}";
    const std::string bound = R"({"cnf":{"jkt":"A"},"token_type":)" + std::string(type) + "}";
    const std::string by_certificate = R"({"cnf":{"x5t#S256":"C"},"token_type":)" + std::string(type) + "}";
    EXPECT_EQ(check("", unbound, Confirmation::verify, nothing).outcome, Outcome::bound);
    EXPECT_EQ(check("", unbound, Confirmation::verify, key_a).outcome, Outcome::bound);
    EXPECT_EQ(check(unbound, "{}", Confirmation::verify, key_a).outcome, Outcome::bound);
    EXPECT_EQ(check(unbound, with_cnf(jkt), Confirmation::verify, key_a).outcome, Outcome::active);
    EXPECT_EQ(check("", bound, Confirmation::require, key_a).outcome, Outcome::active);
    EXPECT_EQ(check("", by_certificate, Confirmation::verify, certificate_c).outcome, Outcome::bound);
  }
  for (const std::string_view type : {R"("Bearer")", R"("N_A")", R"(["DPoP"])", "null", "1"}) {
    const std::string text = R"({"token_type":)" + std::string(type) + "}";
    EXPECT_EQ(check("", text, Confirmation::verify, nothing).outcome, Outcome::active) << type;
  }
}

TEST(Confirmation, OfATokenThatIsNotBound) {
  for (const std::string_view text : {R"({})", R"({"cnf":null})", R"({"x":{"cnf":{"jkt":"A"}}})"}) {
    EXPECT_EQ(check("", text, Confirmation::verify, nothing).outcome, Outcome::active);
    EXPECT_EQ(check("", text, Confirmation::verify, certificate_c).outcome, Outcome::active);
    EXPECT_EQ(check("", text, Confirmation::verify, key_a).outcome, Outcome::bound);
    EXPECT_EQ(check("", text, Confirmation::verify, scheme_alone).outcome, Outcome::bound);
    EXPECT_EQ(check("", text, Confirmation::require, nothing).outcome, Outcome::bound);
    EXPECT_EQ(check("", text, Confirmation::require, key_a).outcome, Outcome::bound);
    EXPECT_EQ(check("", text, Confirmation::require, certificate_c).outcome, Outcome::bound);
    EXPECT_EQ(check("", text, Confirmation::refuse, nothing).outcome, Outcome::active);
    EXPECT_EQ(check("", text, Confirmation::pass, nothing).outcome, Outcome::active);
  }
}

TEST(Confirmation, IsRefusedOrLeftToTheApiWhereItIsNotChecked) {
  for (const Row &row : rows) {
    const std::string text = with_cnf(row.cnf);
    EXPECT_EQ(check("", text, Confirmation::refuse, row.proven).outcome, Outcome::bound) << row.cnf;
    EXPECT_EQ(check(text, "{}", Confirmation::refuse, row.proven).outcome, Outcome::bound) << row.cnf;
    EXPECT_EQ(check("", text, Confirmation::pass, row.proven).outcome, Outcome::active) << row.cnf;
  }
  EXPECT_FALSE(is_checked(Confirmation::refuse));
  EXPECT_FALSE(is_checked(Confirmation::pass));
  EXPECT_TRUE(is_checked(Confirmation::verify));
  EXPECT_TRUE(is_checked(Confirmation::require));
}

}  // namespace
}  // namespace oauth
