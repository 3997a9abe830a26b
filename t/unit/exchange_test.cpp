#include "oauth/exchange.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "oauth/decision.h"
#include "test_jwt.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::string_view jwt_type = "urn:ietf:params:oauth:token-type:jwt";
constexpr std::string_view access_token_type = "urn:ietf:params:oauth:token-type:access_token";
constexpr std::string_view json = "application/json";

// --- the request ---

std::string parameters(const ExchangeParameters &parameters) {
  TestMemory memory;
  std::string_view text;
  EXPECT_TRUE(write_text(
      memory, [&](Writer &writer) { put_exchange_parameters(writer, parameters); }, text));
  return std::string(text);
}

TEST(ExchangeRequest, HasAFixedOrder) {
  const std::string_view audiences[] = {"https://a.example/x?y=1&z", "b c"};
  const std::string_view resources[] = {"https://r.example/", "urn:r:\xC3\xA9"};
  EXPECT_EQ(exchange_body_prefix,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=");
  EXPECT_EQ(parameters({{}, {}, "", jwt_type}),
            "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
            "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt");
  EXPECT_EQ(parameters({{audiences, 2}, {resources, 2}, "read write:*~", access_token_type}),
            "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
            "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
            "&audience=https%3A%2F%2Fa.example%2Fx%3Fy%3D1%26z&audience=b+c"
            "&resource=https%3A%2F%2Fr.example%2F&resource=urn%3Ar%3A%C3%A9"
            "&scope=read+write%3A*%7E");
}

// RFC 6749 section 3.2: a parameter without a value counts as left out, so it is left out.
TEST(ExchangeRequest, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(parameters({{}, {}, "", ""}),
            "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token");
}

// --- the response ---

class Read {
 public:
  explicit Read(std::string_view body, unsigned status = 200, std::string_view content_type = json,
                std::string_view requested = jwt_type)
      : Read(whole(status, content_type), body, requested) {}

  Read(Response response, std::string_view body, std::string_view requested = jwt_type) : text_(body) {
    response.body = text_.data();
    response.body_size = text_.size();
    result_ = read_exchange(response, requested, memory_);
    EXPECT_EQ(result_.outcome == Outcome::active, result_.jwt.claims != nullptr);
    EXPECT_EQ(result_.outcome == Outcome::active, !result_.jwt.compact.empty());
  }

  static Response whole(unsigned status, std::string_view content_type) {
    Response response;
    response.status = status;
    response.content_type = content_type;
    response.complete = true;
    return response;
  }

  std::string word() const { return std::string(meaning(result_.outcome).word); }
  const TokenInformation &operator*() const { return result_; }
  const TokenInformation *operator->() const { return &result_; }

 private:
  TestMemory memory_;
  TestText text_;
  TokenInformation result_;
};

std::string word(std::string_view body, unsigned status = 200, std::string_view content_type = json,
                 std::string_view requested = jwt_type) {
  return Read(body, status, content_type, requested).word();
}

const std::string jwt = make_jwt(R"({"sub":"alice","scope":"read"})");

std::string success(std::string_view more = "") {
  return R"({"access_token":")" + jwt + "\"" + std::string(more) + "}";
}

TEST(Exchange, GivesTheAccessToken) {
  const Read read(success(
      R"(,"issued_token_type":"urn:ietf:params:oauth:token-type:jwt","token_type":"Bearer","expires_in":60,"scope":"read")"));
  ASSERT_EQ(read.word(), "active");
  EXPECT_EQ(read->jwt.compact, jwt);
  EXPECT_EQ(read->jwt.claims->member("sub")->text, "alice");
  ASSERT_NE(read->members, nullptr);
  EXPECT_EQ(read->members->member("scope")->text, "read");
  EXPECT_EQ(read->problem, nullptr);
  EXPECT_EQ(read->server_message, "");
}

TEST(Exchange, GoesByTheAccessTokenAlone) {
  const struct {
    std::string body;
    std::string_view word;
  } cases[] = {
      {success(), "active"},
      {R"({"token_type":"N_A","access_token":")" + jwt + R"("})", "active"},
      {R"({"access_token":" )" + jwt + R"(\n"})", "active"},  // white space around a JWT is trimmed
      {R"({"access_t\u006fken":")" + jwt + R"("})", "active"},
      {"{}", "as_bad_response"},
      {R"({"jwt":")" + jwt + R"("})", "as_bad_response"},
      {R"({"active":true,"jwt":")" + jwt + R"("})", "as_bad_response"},
      {R"({"id_token":")" + jwt + R"("})", "as_bad_response"},
      {R"({"Access_Token":")" + jwt + R"("})", "as_bad_response"},
      {R"({"access_token":""})", "as_bad_response"},
      {R"({"access_token":null})", "as_bad_response"},
      {R"({"access_token":1})", "as_bad_response"},
      {R"({"access_token":[")" + jwt + R"("]})", "as_bad_response"},
      {R"({"access_token":{"jwt":")" + jwt + R"("}})", "as_bad_response"},
      {R"({"access_token":"opaque"})", "as_bad_response"},
      {R"({"access_token":"a.b.c"})", "as_bad_response"},
      {R"({"access_token":")" + jwt + "." + jwt + R"("})", "as_bad_response"},
      {R"({"access_token":"Bearer )" + jwt + R"("})", "as_bad_response"},
      {R"({"access_token":")" + jwt + R"(\r\nX-Evil: 1"})", "as_bad_response"},
      {R"({"access_token":")" + make_jwt(R"({"alg":"none"})", "{}") + R"("})", "as_bad_response"},
      {R"({"access_token":")" + base64url(R"({"alg":"RS256"})") + "." + base64url("{}") + R"(."})", "as_bad_response"},
      {R"({"access_token":")" + make_jwt(R"({"exp":1,"exp":2})") + R"("})", "as_bad_response"},
      {R"({"access_token":")" + make_envelope(R"({"token_introspection":{"active":true}})") + R"("})",
       "as_bad_response"},
      {R"({"access_token":")" + make_jwt(R"({"active":false})") + R"("})", "inactive"},
      {R"({"access_token":")" + jwt + R"(","access_token":")" + jwt + R"("})", "as_bad_response"},
      {"[" + success() + "]", "as_bad_response"},
      {"\"" + jwt + "\"", "as_bad_response"},
      {success() + "x", "as_bad_response"},
      {success() + success(), "as_bad_response"},
      {"\xEF\xBB\xBF" + success(), "as_bad_response"},
      {success().substr(0, 30), "as_bad_response"},
      {"", "as_bad_response"},
      {jwt, "as_bad_response"},
      {"access_token=" + jwt + "&token_type=bearer", "as_bad_response"},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(word(test.body), test.word) << test.body;
  }
}

// RFC 8693 section 2.2.1
TEST(Exchange, ChecksTheIssuedTokenTypeWhereItIsThere) {
  const auto issued = [](std::string_view value) { return success(R"(,"issued_token_type":)" + std::string(value)); };
  const std::string own = "urn:example:own";
  const struct {
    std::string_view value;
    std::string_view requested;
    std::string_view word;
  } cases[] = {
      {R"("urn:ietf:params:oauth:token-type:jwt")", jwt_type, "active"},
      {R"("urn:ietf:params:oauth:token-type:access_token")", jwt_type, "active"},
      {R"("urn:ietf:params:oauth:token-type:access_token")", access_token_type, "active"},
      {R"("urn:ietf:params:oauth:token-type:jwt")", access_token_type, "active"},
      {R"("urn:example:own")", "urn:example:own", "active"},
      {R"("urn:example:own")", jwt_type, "as_bad_response"},
      {R"("urn:ietf:params:oauth:token-type:id_token")", jwt_type, "as_bad_response"},
      {R"("urn:ietf:params:oauth:token-type:refresh_token")", jwt_type, "as_bad_response"},
      {R"("urn:ietf:params:oauth:token-type:saml2")", jwt_type, "as_bad_response"},
      {R"("URN:IETF:PARAMS:OAUTH:TOKEN-TYPE:JWT")", jwt_type, "as_bad_response"},
      {R"("jwt")", jwt_type, "as_bad_response"},
      {R"("")", jwt_type, "as_bad_response"},
      {R"("")", "", "as_bad_response"},
      {"null", jwt_type, "active"},
      {"1", jwt_type, "as_bad_response"},
      {"[]", jwt_type, "as_bad_response"},
      {R"(["urn:ietf:params:oauth:token-type:jwt"])", jwt_type, "as_bad_response"},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(word(issued(test.value), 200, json, test.requested), test.word) << test.value << test.requested;
  }
}

TEST(Exchange, HoldsTheOtherMembersToTheRulesOfIntrospection) {
  const struct {
    std::string_view more;
    std::string_view word;
  } cases[] = {
      {"", "active"},
      {R"(,"token_type":"Bearer")", "active"},
      {R"(,"token_type":"bearer")", "active"},
      {R"(,"token_type":"N_A")", "active"},
      {R"(,"token_type":"DPoP")", "bound"},
      {R"(,"token_type":"dpop")", "bound"},
      {R"(,"token_type":["DPoP"])", "active"},
      {R"(,"cnf":{"jkt":"x"})", "bound"},
      {R"(,"token_type":"refresh_token")", "inactive"},  // of any answer
      {R"(,"exp":1)", "expired"},
      {R"(,"exp":"1")", "as_bad_response"},
      {R"(,"nbf":99999999999)", "not_yet_valid"},
      {R"(,"expires_in":0)", "active"},
      {R"(,"refresh_token":"x")", "active"},
  };
  for (const auto &test : cases) {
    const Read read(success(test.more));
    EXPECT_EQ(meaning(decide(*read, Requirements(), {}, 1700000000).outcome).word, test.word) << test.more;
  }
}

TEST(Exchange, TakesScopesOfTheResponseBeforeThoseOfTheJwt) {
  const std::string_view wanted[] = {"write"};
  Requirements requirements;
  requirements.scopes = {wanted, 1};
  EXPECT_EQ(decide(*Read(success()), requirements, {}, 0).outcome, Outcome::insufficient_scope);
  EXPECT_EQ(decide(*Read(success(R"(,"scope":"read write")")), requirements, {}, 0).outcome, Outcome::active);
  const std::string_view read[] = {"read"};
  requirements.scopes = {read, 1};
  EXPECT_EQ(decide(*Read(success()), requirements, {}, 0).outcome, Outcome::active);
  EXPECT_EQ(decide(*Read(success(R"(,"scope":"")")), requirements, {}, 0).outcome, Outcome::insufficient_scope);
}

TEST(Exchange, IsReadAsJsonOnly) {
  for (const std::string_view type : {"application/json"sv, "Application/JSON;charset=utf-8"sv}) {
    EXPECT_EQ(word(success(), 200, type), "active") << type;
  }
  for (const std::string_view type :
       {"application/jwt"sv, "text/plain"sv, "text/html"sv, ""sv, "application/token-introspection+jwt"sv,
        "application/x-www-form-urlencoded"sv, "application/problem+json"sv, "application/at+jwt"sv}) {
    EXPECT_EQ(word(success(), 200, type), "as_bad_response") << type;
    EXPECT_EQ(word(jwt, 200, type), "as_bad_response") << type;
    EXPECT_EQ(word(R"({"error":"invalid_grant"})", 400, type), "as_error") << type;
  }
}

TEST(Exchange, NeedsAWholePlainBody) {
  for (const unsigned status : {200U, 400U}) {
    const std::string body = status == 200 ? success() : R"({"error":"invalid_grant"})";
    const std::string_view refusal = status == 200 ? "as_bad_response" : "as_error";
    Response response = Read::whole(status, json);
    response.complete = false;
    EXPECT_EQ(Read(response, body).word(), refusal);
    response.complete = true;
    response.too_large = true;
    EXPECT_EQ(Read(response, body).word(), refusal);
    response.too_large = false;
    response.content_encoding = "gzip";
    EXPECT_EQ(Read(response, body).word(), refusal);
  }
}

TEST(Exchange, TellsErrorsApart) {
  const struct {
    std::string_view body;
    std::string_view word;
    std::string_view message;
  } cases[] = {
      {R"({"error":"invalid_request"})", "inactive", "invalid_request"},
      {R"({"error":"invalid_grant"})", "inactive", "invalid_grant"},
      {R"({"error":"invalid_request","error_description":"not active"})", "inactive", "not active"},
      {R"({"error_description":"not active","error":"invalid_grant"})", "inactive", "not active"},
      {R"({"error":"invalid_request","error_description":""})", "inactive", "invalid_request"},
      {R"({"error":"invalid_request","error_description":1})", "inactive", "invalid_request"},
      {R"({"error":"invalid\u005frequest"})", "inactive", "invalid_request"},
      {R"({"error":"invalid_scope","error_description":"beyond"})", "insufficient_scope", "beyond"},
      {R"({"error":"invalid_target"})", "as_error", "invalid_target"},
      {R"({"error":"unsupported_grant_type"})", "as_error", "unsupported_grant_type"},
      {R"({"error":"server_error"})", "as_error", "server_error"},
      {R"({"error":"temporarily_unavailable"})", "as_error", "temporarily_unavailable"},
      {R"({"error":"Invalid_Grant"})", "as_error", "Invalid_Grant"},
      {R"({"error":"invalid_grant "})", "as_error", "invalid_grant "},
      {R"({"error":""})", "as_error", ""},
      {R"({"error":null})", "as_error", ""},
      {R"({"error":["invalid_grant"]})", "as_error", ""},
      {R"({"error":{"error":"invalid_grant"}})", "as_error", ""},
      {R"({"Error":"invalid_grant"})", "as_error", ""},
      {"{}", "as_error", ""},
      {"[]", "as_error", ""},
      {"", "as_error", ""},
      {"invalid_grant", "as_error", ""},
      {R"({"error":"invalid_grant","error":"server_error"})", "as_error", ""},
  };
  for (const auto &test : cases) {
    const Read read(test.body, 400);
    EXPECT_EQ(read.word(), test.word) << test.body;
    EXPECT_EQ(read->server_message, test.message) << test.body;
    EXPECT_NE(read->problem, nullptr) << test.body;
  }
  // Whatever it means for the gateway, it is a 502.
  for (const std::string_view code : {"invalid_client", "unauthorized_client"}) {
    const Read read(R"({"error":")" + std::string(code) + R"("})", 400);
    EXPECT_EQ(meaning(read->outcome).status, 502U) << code;
    EXPECT_EQ(read->server_message, code);
  }
}

TEST(Exchange, NeverForwardsTheAccessTokenOfAnError) {
  for (const unsigned status : {201U, 202U, 204U, 206U, 301U, 302U, 400U, 401U, 403U, 404U, 500U}) {
    EXPECT_NE(word(success(R"(,"error":"invalid_grant")"), status), "active") << status;
    EXPECT_NE(word(success(), status), "active") << status;
  }
}

TEST(Exchange, FollowsTheStatus) {
  const struct {
    std::vector<unsigned> statuses;
    std::string_view word;
  } cases[] = {
      {{401, 403}, "as_refused_client"},
      {{429, 503}, "as_busy"},
      {{504}, "as_timeout"},
      {{404, 405, 413, 415, 418, 422, 499, 500, 501, 502, 505, 599, 301, 302, 303, 304, 307, 308}, "as_error"},
      {{0, 100, 101, 103, 201, 202, 203, 204, 205, 206}, "as_bad_response"},
  };
  for (const auto &test : cases) {
    for (const unsigned status : test.statuses) {
      for (const std::string &body : {success(), std::string(R"({"error":"invalid_grant"})"), std::string()}) {
        EXPECT_EQ(word(body, status), test.word) << status << body;
      }
    }
  }
}

TEST(Exchange, IsRefusedWithoutMemory) {
  const std::string body = success(R"(,"aud":["a","b"])");
  expect_refusal_without_memory([&body](Memory &memory) {
    TestText text(body);
    Response response = Read::whole(200, json);
    response.body = text.data();
    response.body_size = text.size();
    return read_exchange(response, jwt_type, memory).outcome == Outcome::active;
  });
}

}  // namespace
}  // namespace oauth
