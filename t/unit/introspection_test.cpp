#include "oauth/introspection.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "test_jwt.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::string_view default_members[] = {"jwt", "phantom_token", "token_string"};

constexpr std::string_view json_type = "application/json";
constexpr std::string_view jwt_type = "application/jwt";
constexpr std::string_view envelope_type = "application/token-introspection+jwt";

/// A response, and what is read from it.
class Read {
 public:
  Read(std::string_view content_type, std::string_view body, JwtMembers jwt_members = {{default_members, 3}})
      : Read(whole(content_type), body, jwt_members) {}

  Read(Response response, std::string_view body, JwtMembers jwt_members = {{default_members, 3}}) : text_(body) {
    response.body = text_.data();
    response.body_size = text_.size();
    result_ = read_introspection(response, jwt_members, memory_);
    EXPECT_EQ(result_.outcome == Outcome::active && (jwt_members.is_needed || !result_.jwt.compact.empty()),
              result_.jwt.claims != nullptr);
    EXPECT_EQ(result_.outcome == Outcome::active || result_.outcome == Outcome::inactive, result_.problem == nullptr);
  }

  static Response whole(std::string_view content_type) {
    Response response;
    response.status = 200;
    response.content_type = content_type;
    response.complete = true;
    return response;
  }

  const TokenInformation *operator->() const { return &result_; }
  Outcome outcome() const { return result_.outcome; }
  std::string_view problem() const { return result_.problem == nullptr ? std::string_view() : result_.problem; }

 private:
  TestMemory memory_;
  TestText text_;
  TokenInformation result_;
};

/// GoogleTest shows the word instead of a number.
std::string word(Outcome outcome) {
  return std::string(meaning(outcome).word);
}

std::string active_json(std::string_view jwt, std::string_view member = "jwt") {
  return R"({"active":true,")" + std::string(member) + R"(":")" + std::string(jwt) + R"("})";
}

TEST(Introspection, FollowsTheStatus) {
  const struct {
    std::vector<unsigned> statuses;
    Outcome outcome;
  } cases[] = {
      {{200}, Outcome::active},
      {{204}, Outcome::inactive},
      {{401, 403}, Outcome::as_refused_client},
      {{429, 503}, Outcome::as_busy},
      {{504}, Outcome::as_timeout},
      {{400, 402, 404, 405, 408, 410, 413, 415, 418, 422, 451, 499, 500, 501, 502, 505, 599, 600, 999},
       Outcome::as_error},
      {{300, 301, 302, 303, 304, 307, 308}, Outcome::as_error},
      {{0, 9, 100, 101, 103, 199, 201, 202, 203, 205, 206, 299}, Outcome::as_bad_response},
  };
  const std::string body = make_jwt("{}");
  for (const auto &test : cases) {
    for (const unsigned status : test.statuses) {
      Response response = Read::whole(jwt_type);
      response.status = status;
      EXPECT_EQ(word(Read(response, body).outcome()), word(test.outcome)) << status;
    }
  }
}

TEST(Introspection, LooksAtNothingElseWhereTheStatusDecides) {
  Response response;
  response.too_large = true;
  response.content_encoding = "gzip";
  response.status = 401;
  EXPECT_EQ(word(Read(response, "").outcome()), "as_refused_client");
  response.status = 204;
  EXPECT_EQ(word(Read(response, "").outcome()), "inactive");
  response.status = 504;
  EXPECT_EQ(word(Read(response, "").outcome()), "as_timeout");
}

TEST(Introspection, NeedsAWholeReadableBody) {
  const std::string body = make_jwt("{}");
  Response response = Read::whole(jwt_type);
  response.too_large = true;
  EXPECT_EQ(Read(response, body).problem(), "the response is larger than phantom_token_max_response_size");

  response = Read::whole(jwt_type);
  response.complete = false;
  EXPECT_EQ(Read(response, body).problem(), "the response was cut short");

  for (const std::string_view encoding : {"gzip", "br", "x", "identity, gzip", "identity;q=1", "identit"}) {
    response = Read::whole(jwt_type);
    response.content_encoding = encoding;
    EXPECT_EQ(Read(response, body).problem(), "the response has a Content-Encoding") << encoding;
  }
  for (const std::string_view encoding : {"", "identity", "IDENTITY"}) {
    response = Read::whole(jwt_type);
    response.content_encoding = encoding;
    EXPECT_EQ(word(Read(response, body).outcome()), "active") << encoding;
  }
}

TEST(Introspection, GoesByTheMediaType) {
  const std::string jwt = make_jwt("{}");
  for (const std::string_view type :
       {"application/jwt"sv, "Application/JWT"sv, "application/jwt;charset=utf-8"sv,
        "application/jwt ; charset=utf-8"sv, "application/jwt\t;x"sv, "application/jwt;"sv}) {
    EXPECT_EQ(word(Read(type, jwt).outcome()), "active") << type;
  }
  for (const std::string_view type :
       {"application/json"sv, "APPLICATION/Json"sv, "application/json; charset=UTF-8"sv}) {
    EXPECT_EQ(word(Read(type, active_json(jwt)).outcome()), "active") << type;
  }
  for (const std::string_view type :
       {""sv, ";"sv, " application/jwt"sv, "application"sv, "application/"sv, "jwt"sv, "text/html"sv, "text/plain"sv,
        "text/json"sv, "application/jwts"sv, "application/jw"sv, "application/jwt, application/json"sv,
        "application/jwt application/json"sv, "application/x; application/jwt"sv, "application/problem+json"sv,
        "application/at+jwt"sv, "application/jwt\0"sv, "*/*"sv, "application/octet-stream"sv}) {
    EXPECT_EQ(word(Read(type, jwt).outcome()), "as_bad_response") << type;
    EXPECT_EQ(word(Read(type, active_json(jwt)).outcome()), "as_bad_response") << type;
  }
  EXPECT_EQ(word(Read(json_type, jwt).outcome()), "as_bad_response");
  EXPECT_EQ(word(Read(jwt_type, active_json(jwt)).outcome()), "as_bad_response");
}

TEST(Introspection, TakesABareJwt) {
  const std::string jwt = make_jwt(R"({"sub":"alice"})");
  const Read read(jwt_type, " " + jwt + "\r\n");
  EXPECT_EQ(word(read.outcome()), "active");
  EXPECT_EQ(read->jwt.compact, jwt);
  EXPECT_EQ(read->jwt.claims->member("sub")->text, "alice");
  EXPECT_EQ(read->members, nullptr);
}

TEST(Introspection, LooksAtTheStateInABareJwt) {
  const struct {
    std::string_view claims;
    Outcome outcome;
  } cases[] = {
      {R"({"active":true})", Outcome::active},
      {R"({"active":false})", Outcome::inactive},
      {R"({"active":"true"})", Outcome::as_bad_response},
      {R"({"active":1})", Outcome::as_bad_response},
      {R"({"active":null})", Outcome::as_bad_response},
      {R"({"token_type":"refresh_token"})", Outcome::inactive},
      {R"({"token_type":"Refresh_Token"})", Outcome::inactive},
      {R"({"active":true,"token_type":"refresh_token"})", Outcome::inactive},
      {R"({"token_type":"Bearer"})", Outcome::active},
      {R"({"token_type":["refresh_token"]})", Outcome::active},
      {R"({"active":true,"token_type":"Bearer","token_use":"refresh_token"})", Outcome::inactive},
      {R"({"active":true,"token_type":"Bearer","token_use":"access_token"})", Outcome::active},
      {R"({"token_type":null})", Outcome::active},
      {R"({"token_introspection":null})", Outcome::active},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(word(Read(jwt_type, make_jwt(test.claims)).outcome()), word(test.outcome)) << test.claims;
    EXPECT_EQ(word(Read(json_type, active_json(make_jwt(test.claims))).outcome()), word(test.outcome)) << test.claims;
  }
}

TEST(Introspection, RefusesABodyThatIsNoJwt) {
  const std::string jwt = make_jwt("{}");
  for (const std::string &body :
       {std::string(), std::string("\n"), std::string("opaque"), jwt.substr(0, jwt.size() - 1),
        make_jwt(R"({"alg":"none"})", "{}"), make_jwt("{}", "{}"), jwt + "\r\nX-Evil: 1", jwt + " " + jwt,
        "Bearer " + jwt, "\"" + jwt + "\"", jwt + std::string(1, '\0')}) {
    EXPECT_EQ(word(Read(jwt_type, body).outcome()), "as_bad_response") << body;
  }
}

TEST(Introspection, ReadsJsonWithActiveFirst) {
  const std::string jwt = make_jwt("{}");
  const std::string member = R"("jwt":")" + jwt + "\"";
  const struct {
    std::string body;
    Outcome outcome;
  } cases[] = {
      {R"({"active":true,)" + member + "}", Outcome::active},
      {"{" + member + R"(,"active":true})", Outcome::active},
      {"\t{" + member + ",\r\n\"active\" : true }\n", Outcome::active},
      {R"({"\u0061ctive":true,"j\u0077t":")" + jwt + "\"}", Outcome::active},
      // inactive, whatever else is there
      {R"({"active":false})", Outcome::inactive},
      {R"({"active":false,)" + member + "}", Outcome::inactive},
      {"{" + member + R"(,"active":false})", Outcome::inactive},
      {R"({"active":false,"jwt":7,"exp":"x","token_type":null})", Outcome::inactive},
      // but JSON it must be, and say it once
      {R"({"active":false)", Outcome::as_bad_response},
      {R"({"active":false} x)", Outcome::as_bad_response},
      {R"({"active":false,"active":true,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":true,"active":false,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":true,"\u0061ctive":false,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":true,"x":{"y":1,"y":2},)" + member + "}", Outcome::as_bad_response},
      {"\xEF\xBB\xBF{\"active\":false}", Outcome::as_bad_response},
      {"{\"active\":false,\"x\":\"\xFF\"}", Outcome::as_bad_response},
      {"{\"active\":false,\"x\":" + std::string(200000, '['), Outcome::as_bad_response},
      // active absent or no boolean
      {"{" + member + "}", Outcome::as_bad_response},
      {R"({"active":"true",)" + member + "}", Outcome::as_bad_response},
      {R"({"active":"false"})", Outcome::as_bad_response},
      {R"({"active":1,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":0})", Outcome::as_bad_response},
      {R"({"active":null})", Outcome::as_bad_response},
      {R"({"active":[true],)" + member + "}", Outcome::as_bad_response},
      {R"({"Active":true,)" + member + "}", Outcome::as_bad_response},
      {R"({"x":{"active":true},)" + member + "}", Outcome::as_bad_response},
      // no object
      {"", Outcome::as_bad_response},
      {"[]", Outcome::as_bad_response},
      {"true", Outcome::as_bad_response},
      {"null", Outcome::as_bad_response},
      {R"("active")", Outcome::as_bad_response},
      {R"([{"active":true,)" + member + "}]", Outcome::as_bad_response},
      // refresh tokens
      {R"({"active":true,"token_type":"refresh_token",)" + member + "}", Outcome::inactive},
      {R"({"active":true,"token_type":"Bearer","token_use":"refresh_token",)" + member + "}", Outcome::inactive},
      {R"({"active":true,"token_type":"REFRESH_TOKEN",)" + member + "}", Outcome::inactive},
      {R"({"active":true,"token_type":"refresh_token"})", Outcome::inactive},
      {R"({"active":true,"token_type":"bearer",)" + member + "}", Outcome::active},
      {R"({"active":true,"token_type":"refresh_token2",)" + member + "}", Outcome::active},
      // nothing to forward
      {R"({"active":true})", Outcome::as_bad_response},
      {R"({"active":true,"JWT":")" + jwt + "\"}", Outcome::as_bad_response},
      {R"({"active":true,"access_token":")" + jwt + "\"}", Outcome::as_bad_response},
      {R"({"active":true,"x":{)" + member + "}}", Outcome::as_bad_response},
      {R"({"active":true,"jwt":null})", Outcome::as_bad_response},
      {R"({"active":true,"jwt":null,"token_string":")" + jwt + "\"}", Outcome::active},
      {R"({"active":null,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":true,"exp":null,"exp":1,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":true,"active":null,)" + member + "}", Outcome::as_bad_response},
      {R"({"active":true,"jwt":7})", Outcome::as_bad_response},
      {R"({"active":true,"jwt":[")" + jwt + "\"]}", Outcome::as_bad_response},
      {R"({"active":true,"jwt":""})", Outcome::as_bad_response},
      {R"({"active":true,"jwt":"opaque"})", Outcome::as_bad_response},
      {R"({"active":true,"jwt":")" + jwt + "\\r\\nX: y\"}", Outcome::as_bad_response},
      {R"({"active":true,"jwt":")" + jwt + "\\u0000\"}", Outcome::as_bad_response},
      {active_json(make_jwt(R"({"alg":"none"})", "{}")), Outcome::as_bad_response},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(word(Read(json_type, test.body).outcome()), word(test.outcome)) << test.body.substr(0, 200);
  }
}

TEST(Introspection, GivesTheJwtAndTheMembersOfJson) {
  const std::string jwt = make_jwt(R"({"sub":"alice"})");
  const Read read(json_type, R"({"scope":"a b","active":true,"jwt":" )" + jwt + "\\n\"}");
  ASSERT_EQ(word(read.outcome()), "active");
  EXPECT_EQ(read->jwt.compact, jwt);
  EXPECT_EQ(read->jwt.claims->member("sub")->text, "alice");
  ASSERT_NE(read->members, nullptr);
  EXPECT_EQ(read->members->member("scope")->text, "a b");
}

TEST(Introspection, SaysWhereThereIsNothingToForward) {
  EXPECT_EQ(Read(json_type, R"({"active":true})").problem(),
            "the token is active, but the response holds no JWT, so there is nothing to forward");
}

TEST(Introspection, PrefersJwtMembersInConfiguredOrder) {
  const std::string one = make_jwt(R"({"n":1})");
  const std::string two = make_jwt(R"({"n":2})");
  const std::string body = R"({"active":true,"token_string":")" + two + R"(","phantom_token":")" + one + "\"}";
  EXPECT_EQ(Read(json_type, body)->jwt.compact, one);

  const std::string_view reversed[] = {"token_string", "phantom_token"};
  EXPECT_EQ(Read(json_type, body, {{reversed, 2}})->jwt.compact, two);

  const std::string_view other[] = {"assertion"};
  EXPECT_EQ(word(Read(json_type, body, {{other, 1}}).outcome()), "as_bad_response");
  EXPECT_EQ(word(Read(json_type, body, {}).outcome()), "as_bad_response");

  // The first that is there decides, even where it is no JWT.
  const std::string broken = R"({"active":true,"phantom_token":")" + one + R"(","jwt":"opaque"})";
  EXPECT_EQ(word(Read(json_type, broken).outcome()), "as_bad_response");
}

std::string envelope(std::string_view members) {
  return make_envelope(R"({"iss":"https://as","exp":7,"token_introspection":)" + std::string(members) + "}");
}

TEST(Introspection, ReadsTheEnvelopeOfRfc9701UnderEitherMediaType) {
  const std::string jwt = make_jwt(R"({"sub":"alice"})");
  const std::string body = envelope(R"({"active":true,"scope":"a","jwt":")" + jwt + "\"}");
  for (const std::string_view type : {envelope_type, "Application/Token-Introspection+JWT; x=y"sv, jwt_type}) {
    const Read read(type, body);
    ASSERT_EQ(word(read.outcome()), "active") << type;
    EXPECT_EQ(read->jwt.compact, jwt);
    EXPECT_EQ(read->members->member("scope")->text, "a");
    EXPECT_EQ(read->checked_claims.exp, 7);
    EXPECT_EQ(read->checked_claims.issuer, nullptr) << "the envelope's issuer is not the token's";
  }
}

TEST(Introspection, NeverForwardsAnEnvelope) {
  const std::string jwt = make_jwt("{}");
  const std::string good = envelope(active_json(jwt));
  const struct {
    std::string body;
    Outcome outcome;
  } cases[] = {
      {envelope(R"({"active":false})"), Outcome::inactive},
      {envelope(R"({"active":true,"token_type":"refresh_token"})"), Outcome::inactive},
      {envelope(R"({"active":true})"), Outcome::as_bad_response},
      {envelope(active_json(good)), Outcome::as_bad_response},
      {envelope(R"({"jwt":")" + jwt + "\"}"), Outcome::as_bad_response},
      {envelope(R"("{\"active\":true}")"), Outcome::as_bad_response},
      {envelope("[]"), Outcome::as_bad_response},
      {envelope("null"), Outcome::as_bad_response},
      {envelope("true"), Outcome::as_bad_response},
      {make_envelope("{}"), Outcome::as_bad_response},
      {make_envelope(R"({"active":true,"jwt":")" + jwt + "\"}"), Outcome::as_bad_response},
      {make_envelope(R"({"active":true,"sub":"alice"})"), Outcome::as_bad_response},
  };
  for (const std::string_view type : {envelope_type, jwt_type}) {
    for (const auto &test : cases) {
      EXPECT_EQ(word(Read(type, test.body).outcome()), word(test.outcome)) << test.body;
    }
  }
  EXPECT_EQ(word(Read(json_type, active_json(good)).outcome()), "as_bad_response");
  EXPECT_EQ(word(Read(json_type, good).outcome()), "as_bad_response");
}

// RFC 9701 section 5: typ MUST be token-introspection+jwt.
TEST(Introspection, RefusesAnEnvelopeWithoutItsType) {
  const std::string claims = R"({"token_introspection":)" + active_json(make_jwt("{}")) + "}";
  for (const std::string_view header : {R"({"alg":"RS256"})", R"({"alg":"RS256","typ":"JWT"})"}) {
    for (const std::string_view type : {envelope_type, jwt_type}) {
      EXPECT_EQ(word(Read(type, make_jwt(header, claims)).outcome()), "as_bad_response") << type << header;
      EXPECT_EQ(word(Read(type, make_jwt(header, R"({"token_introspection":{"active":false}})")).outcome()),
                "as_bad_response");
    }
  }
  EXPECT_EQ(word(Read(envelope_type, make_jwt(R"({"active":true})")).outcome()), "as_bad_response");
}

TEST(Introspection, WithoutANeedForAJwtIsWhatItsMembersSay) {
  const JwtMembers optional = {{default_members, 3}, false};
  const Read alone(
      json_type, R"({"active":true,"sub":"alice","scope":"read","scp":["x"],"iss":"as","aud":"a","exp":5})", optional);
  EXPECT_EQ(word(alone.outcome()), "active");
  EXPECT_TRUE(alone->jwt.compact.empty());
  const CheckedClaims &checked = alone->checked_claims;
  EXPECT_TRUE(checked.gathered);
  EXPECT_EQ(checked.issuer->text, "as");
  EXPECT_EQ(checked.issuer_of_response, nullptr);
  EXPECT_EQ(checked.audience->text, "a");
  EXPECT_EQ(checked.audience_of_response, nullptr);
  EXPECT_EQ(checked.scope->text, "read");
  EXPECT_EQ(checked.exp, 5);

  EXPECT_EQ(Read(json_type, R"({"active":true,"scp":["read"]})", optional)->checked_claims.scope, nullptr)
      << "scp is a JWT's";
  const std::string jwt = make_jwt(R"({"sub":"alice"})");
  EXPECT_EQ(Read(json_type, active_json(jwt), optional)->jwt.compact, jwt) << "one that is there is read";
  EXPECT_EQ(word(Read(json_type, R"({"active":true,"jwt":"opaque"})", optional).outcome()), "as_bad_response");
  EXPECT_EQ(word(Read(json_type, R"({"active":false})", optional).outcome()), "inactive");
  EXPECT_EQ(word(Read(json_type, R"({"sub":"alice"})", optional).outcome()), "as_bad_response");
}

TEST(Introspection, IsNotActiveWithoutMemory) {
  const std::string jwt = make_jwt(R"({"sub":"alice","aud":["a"]})");
  const struct {
    std::string_view type;
    std::string body;
  } cases[] = {{jwt_type, jwt}, {json_type, active_json(jwt)}, {envelope_type, envelope(active_json(jwt))}};
  for (const auto &test : cases) {
    expect_refusal_without_memory([&test](Memory &memory) {
      const TestText text(test.body);
      Response response = Read::whole(test.type);
      response.body = text.data();
      response.body_size = text.size();
      return read_introspection(response, {{default_members, 3}}, memory).outcome == Outcome::active;
    });
  }
}

TEST(Introspection, OfNoResponseIsRefused) {
  TestMemory memory;
  Response response;
  EXPECT_EQ(word(read_introspection(response, {}, memory).outcome), "as_bad_response");
}

}  // namespace
}  // namespace oauth
