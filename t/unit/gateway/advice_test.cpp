#include "gateway/subrequest/advice.h"

#include <gtest/gtest.h>

#include <string_view>

#include "nginx/strings.h"

namespace gateway {
namespace {

const char *advice_on(AsRequestKind kind, Contact contact, unsigned status) {
  AsRequest request;
  request.asked.kind = kind;
  request.captured.contact = contact;
  request.captured.response.status = status;
  return advice(request);
}

void expect_words(const char *said, std::string_view words, unsigned status) {
  if (words.empty()) {
    EXPECT_EQ(said, nullptr) << status;
  } else {
    ASSERT_NE(said, nullptr) << status;
    EXPECT_NE(std::string_view(said).find(words), std::string_view::npos) << status << ": " << said;
  }
}

TEST(Advice, IsAboutTheStatusAndWhatWasAsked) {
  struct Case {
    unsigned status;
    std::string_view about_token;
    std::string_view about_keys;
  };
  const Case cases[] = {
      {200, "", ""},
      {204, "", ""},
      {300, "", ""},
      {301, "\"proxy_set_header Host\"", "\"proxy_set_header Host\""},
      {302, "write that URL", "write that URL"},
      {303, "write that URL", "write that URL"},
      {304, "", ""},
      {307, "write that URL", "write that URL"},
      {308, "write that URL", "write that URL"},
      {400, "\"phantom_token_inactive_status\"", "another Host than its own?"},
      {401, "\"phantom_token_client_auth\"", "a JWK Set is public"},
      {403, "its client lacks the right", "a firewall may want"},
      {404, "\"phantom_token_inactive_status\"", "is the path in \"proxy_pass\" right"},
      {405, "a JWK Set is GET", "a JWK Set is GET"},
      {406, "\"proxy_set_header Accept application/json;\"", "\"proxy_set_header Accept\""},
      {415, "\"proxy_set_header Content-Type\"", ""},
      {418, "", ""},
      {421, "\"proxy_ssl_name\"", "\"proxy_ssl_name\""},
      {426, "\"proxy_http_version 1.1;\"", "\"proxy_http_version 1.1;\""},
      {429, "does the cache work", "does the cache work"},
      {500, "", ""},
      {503, "", ""},
  };
  for (const Case &row : cases) {
    expect_words(advice_on(AsRequestKind::introspection, Contact::server, row.status), row.about_token, row.status);
    expect_words(advice_on(AsRequestKind::token_exchange, Contact::server, row.status), row.about_token, row.status);
    expect_words(advice_on(AsRequestKind::jwk_set, Contact::server, row.status), row.about_keys, row.status);
  }
}

TEST(Advice, OnAKeysRequestNamesNoTokenAndNoCredentials) {
  for (unsigned status = 100; status < 600; ++status) {
    if (const char *said = advice_on(AsRequestKind::jwk_set, Contact::server, status)) {
      EXPECT_EQ(std::string_view(said).find("phantom_token_"), std::string_view::npos) << status;
      EXPECT_EQ(std::string_view(said).find("Authorization"), std::string_view::npos) << status;
    }
  }
}

TEST(Advice, IsAboutTheCacheWhereItHasAnswered) {
  for (const unsigned status : {401U, 404U, 503U}) {
    expect_words(advice_on(AsRequestKind::introspection, Contact::cache, status), "\"proxy_cache_valid\"", status);
    expect_words(advice_on(AsRequestKind::jwk_set, Contact::cache, status), "\"proxy_cache_valid\"", status);
  }
}

TEST(Advice, IsNoneWhereNginxHasSaidTheStatus) {
  for (int contact = static_cast<int>(Contact::nginx); contact <= static_cast<int>(Contact::unreadable); ++contact) {
    EXPECT_EQ(advice_on(AsRequestKind::introspection, static_cast<Contact>(contact), 404), nullptr) << contact;
  }
}

TEST(StatusInLog, IsThatOfWhoHasAnswered) {
  struct Case {
    const char *explanation;
    Contact contact;
    unsigned status;
    std::string_view shown;
  };
  const Case cases[] = {
      {nullptr, Contact::server, 503, ", its status 503"},
      {nullptr, Contact::cache, 404, ", its status 404"},
      {"nginx itself", Contact::nginx, 429, ", its status 429"},
      {"closed", Contact::closed, 502, ""},
      {"overdue", Contact::overdue, 504, ""},
      {nullptr, Contact::server, 0, ", its status 0"},
      {nullptr, Contact::server, 4294967295, ", its status 4294967295"},
  };
  for (const Case &row : cases) {
    CapturedResponse captured;
    captured.response.explanation = row.explanation;
    captured.response.status = row.status;
    captured.contact = row.contact;
    u_char buffer[longest_status];
    EXPECT_EQ(to_view(status_in_log(captured, buffer)), row.shown);
  }
}

}  // namespace
}  // namespace gateway
