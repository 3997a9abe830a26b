#include "oauth/response.h"

#include <gtest/gtest.h>

#include <string_view>

namespace oauth {
namespace {

using std::literals::operator""sv;

Response with_type(std::string_view type) {
  Response response;
  response.content_type = type;
  return response;
}

TEST(Response, HasItsMediaTypeWhateverItsParametersAndCase) {
  for (const std::string_view type : {"application/json"sv, "Application/JSON"sv, "application/json;charset=utf-8"sv,
                                      "application/json ; a=b"sv, "application/json\t;a=b"sv, "application/json;"sv,
                                      "application/json  "sv, "application/json;application/jwt"sv}) {
    EXPECT_TRUE(has_media_type(with_type(type), "application/json")) << type;
    EXPECT_FALSE(has_media_type(with_type(type), "application/jwt")) << type;
  }
  for (const std::string_view type :
       {""sv, ";"sv, " "sv, " application/json"sv, "application/json, application/json"sv, "application/jsons"sv,
        "application/jso"sv, "text/json"sv, "json"sv, "application/problem+json"sv, "application/json+x"sv,
        "text/html; application/json"sv, "application/json\0"sv, "application/json\r"sv, "application /json"sv}) {
    EXPECT_FALSE(has_media_type(with_type(type), "application/json")) << type;
  }
}

TEST(Response, IsUnreadableUnlessItIsWholeAndPlain) {
  Response response;
  EXPECT_STREQ(explain_unreadable(response), "the response was cut short");
  response.complete = true;
  EXPECT_EQ(explain_unreadable(response), nullptr);
  response.content_encoding = "Identity";
  EXPECT_EQ(explain_unreadable(response), nullptr);
  for (const std::string_view encoding : {"gzip", "deflate", "identity,gzip", " identity"}) {
    response.content_encoding = encoding;
    EXPECT_STREQ(explain_unreadable(response), "the response has a Content-Encoding") << encoding;
  }
  response.too_large = true;
  EXPECT_STREQ(explain_unreadable(response), "the response is larger than phantom_token_max_response_size");
  response.complete = false;
  EXPECT_STREQ(explain_unreadable(response), "the response is larger than phantom_token_max_response_size");
}

TEST(InactiveStatuses, AreThoseThatWereAdded) {
  InactiveStatuses statuses;
  for (unsigned status = 0; status <= 999; ++status) {
    EXPECT_FALSE(statuses.has(status)) << status;
  }
  for (const unsigned status : {400U, 404U, 404U, 499U}) {
    statuses.add(status);
  }
  for (unsigned status = 0; status <= 999; ++status) {
    EXPECT_EQ(statuses.has(status), status == 400 || status == 404 || status == 499) << status;
  }
}

Outcome outcome_of(unsigned status) {
  switch (status) {
    case 401:
    case 403:
      return Outcome::as_refused_client;
    case 429:
    case 503:
      return Outcome::as_busy;
    case 504:
      return Outcome::as_timeout;
    default:
      return status < 300 ? Outcome::as_bad_response : Outcome::as_error;
  }
}

TEST(Response, FailsByTheStatusThatTheServerSays) {
  for (unsigned status = 0; status <= 999; ++status) {
    Response response;
    response.status = status;
    EXPECT_EQ(verdict_by_status(response).outcome, outcome_of(status)) << status;
    ASSERT_NE(verdict_by_status(response).problem, nullptr) << status;
    const std::string_view problem = verdict_by_status(response).problem;
    EXPECT_EQ(problem.find("gateway's own"), std::string_view::npos) << status;
    EXPECT_EQ(problem.find("reached"), std::string_view::npos) << status << ": a status has come";
  }
}

TEST(Response, SaysWhatTheStatusIs) {
  const struct {
    unsigned status;
    std::string_view part;
  } rows[] = {{301, "redirects"}, {302, "redirects"},   {303, "redirects"},    {307, "redirects"}, {308, "redirects"},
              {400, "request"},   {401, "credentials"}, {403, "firewall"},     {404, "URL"},       {405, "method"},
              {406, "Accept"},    {413, "too large"},   {415, "Content-Type"}, {421, "host"},      {426, "HTTP"},
              {429, "too often"}, {500, "failed"},      {502, "proxy"},        {503, "busy"},      {504, "proxy"}};
  for (const auto &row : rows) {
    Response response;
    response.status = row.status;
    EXPECT_NE(std::string_view(verdict_by_status(response).problem).find(row.part), std::string_view::npos)
        << row.status;
  }
}

TEST(Response, OfNoServerIsExplainedByTheGateway) {
  for (unsigned status = 0; status <= 999; ++status) {
    Response response;
    response.status = status;
    response.explanation = "the door was shut";
    EXPECT_EQ(verdict_by_status(response).outcome, outcome_of(status)) << status;
    EXPECT_STREQ(verdict_by_status(response).problem, "the door was shut") << status;
  }
}

}  // namespace
}  // namespace oauth
