#include "oauth/error_response.h"

#include <gtest/gtest.h>

#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

/// A response whose body is this JSON.
Response json_response(const TestText &text) {
  Response response;
  response.content_type = "application/json";
  response.complete = true;
  response.body = text.data();
  response.body_size = text.size();
  return response;
}

TEST(InactiveByStatus, IsAStatusThatTheServerGave) {
  InactiveStatuses statuses;
  statuses.add(401);
  Response response;
  for (const unsigned status : {200U, 204U, 400U, 401U, 404U, 502U}) {
    response.status = status;
    response.answered = true;
    EXPECT_EQ(is_inactive_by_status(response, statuses), status == 401) << status;
    response.answered = false;  // nginx's own
    EXPECT_FALSE(is_inactive_by_status(response, statuses)) << status;
  }
}

TEST(InactiveByStatus, HoldsWhatTheServerSays) {
  TestMemory memory;
  const TestText text(R"({"error":"invalid_client","active":true})");
  Response response = json_response(text);
  const TokenInformation information = inactive_by_status(response, memory);
  EXPECT_EQ(information.outcome, Outcome::inactive);
  EXPECT_EQ(information.server_message, "invalid_client");
  EXPECT_TRUE(information.jwt.compact.empty());
}

TEST(RefusedByStatus, HoldsTheVerdictAndWhatTheServerSays) {
  TestMemory memory;
  const TestText text(R"({"error":"temporarily_unavailable","error_description":"in service"})");
  Response response = json_response(text);
  response.status = 503;
  const TokenInformation information = refused_by_status(response, memory);
  EXPECT_EQ(information.outcome, Outcome::as_busy);
  EXPECT_STREQ(information.problem, verdict_by_status(response).problem);
  EXPECT_EQ(information.server_message, "in service");
}

TEST(RefusedByStatus, HoldsNothingOfABodyThatCannotBeRead) {
  constexpr std::string_view body = R"({"error":"invalid_client"})";
  const struct {
    void (*spoil)(Response &response);
    std::string_view name;
  } cases[] = {
      {[](Response &response) { response.complete = false; }, "cut short"},
      {[](Response &response) { response.too_large = true; }, "too large"},
      {[](Response &response) { response.content_encoding = "gzip"; }, "encoded"},
      {[](Response &response) { response.content_type = "text/html"; }, "of another type"},
      {[](Response &response) { response.body_size -= 1; }, "broken"},
  };
  for (const auto &test : cases) {
    TestMemory memory;
    const TestText text(body);
    Response response = json_response(text);
    response.status = 401;
    test.spoil(response);
    const TokenInformation information = refused_by_status(response, memory);
    EXPECT_EQ(information.outcome, Outcome::as_refused_client) << test.name;
    EXPECT_EQ(information.server_message, "") << test.name;
  }
}

}  // namespace
}  // namespace oauth
