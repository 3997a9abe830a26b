#include "gateway/observation/redaction.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "../test_memory.h"
#include "nginx/strings.h"
#include "nginx_stub.h"

namespace gateway {
namespace {

using nginx_stub::Pool;

TEST(Redact, BlotsOutSecretsWhereverTheyStand) {
  struct Case {
    std::string_view text;
    std::string_view secret;
    std::string_view other_secret;
    std::string_view redacted;
  };
  const Case cases[] = {
      {"nothing in it", "secret", "token", "nothing in it"},
      {"", "secret", "token", ""},
      {"no secret is set", "", "", "no secret is set"},
      {"secret", "secret", "", "******"},
      {"secrets of secret", "secret", "", "******s of ******"},
      {"secretsecret", "secret", "", "************"},
      {"Secret secre", "secret", "", "Secret secre"},
      {"a token and a secret", "secret", "token", "a ***** and a ******"},
      {"aaaaa", "aa", "", "****a"},
      {"ab abc", "abc", "ab", "** ***"},
      {"ab abc", "ab", "abc", "** **c"},
      {"secre", "secret", "", "secre"},
  };
  for (const Case &row : cases) {
    Pool pool;
    EXPECT_EQ(redact(&pool, row.text, {row.secret, row.other_secret}), row.redacted) << row.text;
  }
}

TEST(Redact, BlotsOutWhatTheGatewayHasSentFormEncoded) {
  struct Case {
    std::string_view text;
    std::string_view redacted;
  };
  const Case cases[] = {
      {"client_secret=p+ss%26%2B&x", "client_secret=**********&x"},
      {"of p ss&+ and p+ss%26%2B", "of ****** and **********"},
      {"of p+ss%26%2", "of p+ss%26%2"},
      {"of p%20ss&+", "of p%20ss&+"},
  };
  for (const Case &row : cases) {
    Pool pool;
    EXPECT_EQ(redact(&pool, row.text, {"p ss&+"}), row.redacted);
  }
}

TEST(Redact, ComesBeforeTheCutOfALogLine) {
  for (std::size_t before = 190; before <= 200; ++before) {
    Pool pool;
    const std::string text = std::string(before, 'x') + "secret";
    const std::string_view shown = to_view(printable(&pool, redact(&pool, text, {"secret"})));
    EXPECT_EQ(shown, (std::string(before, 'x') + "******").substr(0, 200));
  }
}

TEST(Redact, LeavesTheOriginalAlone) {
  Pool pool;
  const std::string text = "a secret";
  EXPECT_EQ(redact(&pool, text, {"secret"}), "a ******");
  EXPECT_EQ(text, "a secret");
}

TEST(Redact, ShowsNothingWithoutMemory) {
  jose::expect_refusal_without_memory<Pool>([](Pool &pool) {
    const std::string_view redacted = redact(&pool, "a secret and a token", {"secret", "token"});
    EXPECT_TRUE(redacted.empty() || redacted == "a ****** and a *****");
    return !redacted.empty();
  });
}

}  // namespace
}  // namespace gateway
