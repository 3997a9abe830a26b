#include "oauth/challenge.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oauth {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

std::string write(const Challenge &challenge) {
  std::string out(challenge_size(challenge), '?');
  EXPECT_EQ(write_challenge(out.data(), challenge), out.data() + out.size());
  return out;
}

/// A reader of `challenge = auth-scheme 1*SP #auth-param` (RFC 9110 section 11.3) that knows nothing of the writer.
class ChallengeReader {
 public:
  explicit ChallengeReader(std::string_view text) : rest_(text) {}

  std::optional<Parameters> read(std::string_view scheme = "Bearer ") {
    if (!take(scheme)) {
      return std::nullopt;
    }
    Parameters parameters;
    do {
      const std::string name = token();
      if (name.empty() || !take("=\"")) {
        return std::nullopt;
      }
      const auto value = rest_of_quoted_string();
      if (!value) {
        return std::nullopt;
      }
      parameters.emplace_back(name, *value);
    } while (take(", "));
    return rest_.empty() ? std::optional(parameters) : std::nullopt;
  }

 private:
  bool take(std::string_view expected) {
    if (rest_.substr(0, expected.size()) != expected) {
      return false;
    }
    rest_.remove_prefix(expected.size());
    return true;
  }

  std::string token() {
    const std::string_view name = rest_.substr(0, rest_.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"));
    rest_.remove_prefix(name.size());
    return std::string(name);
  }

  std::optional<std::string> rest_of_quoted_string() {
    std::string value;
    while (!rest_.empty()) {
      if (take("\"")) {
        return value;
      }
      take("\\");
      if (rest_.empty()) {
        return std::nullopt;
      }
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }

  std::string_view rest_;
};

TEST(ChallengeReader, RefusesWhatIsNoChallenge) {
  for (const char *text :
       {"", "Bearer", "Bearer ", "Basic realm=\"a\"", "Bearer realm=a", "Bearer realm=\"a", "Bearer realm=\"a\",",
        "Bearer realm=\"a\", ", "Bearer realm=\"a\" scope=\"b\"", "Bearer realm=\"a\"b\"", "Bearer realm=\"a\\\""}) {
    EXPECT_EQ(ChallengeReader(text).read(), std::nullopt) << text;
  }
}

struct Case {
  std::string_view realm;
  std::vector<std::string_view> scopes;
  std::string_view error;
  std::string_view text;
  Parameters parameters;
};

TEST(Challenge, IsOneWellFormedChallenge) {
  const Case cases[] = {
      {"api", {}, "", R"(Bearer realm="api")", {{"realm", "api"}}},
      {"", {}, "", R"(Bearer realm="")", {{"realm", ""}}},
      {"api", {"read"}, "", R"(Bearer realm="api", scope="read")", {{"realm", "api"}, {"scope", "read"}}},
      {"api",
       {"read", "write"},
       "invalid_token",
       R"(Bearer realm="api", scope="read write", error="invalid_token")",
       {{"realm", "api"}, {"scope", "read write"}, {"error", "invalid_token"}}},
      {"api",
       {},
       "invalid_token",
       R"(Bearer realm="api", error="invalid_token")",
       {{"realm", "api"}, {"error", "invalid_token"}}},
      {R"(a "b" \c)", {}, "", R"(Bearer realm="a \"b\" \\c")", {{"realm", R"(a "b" \c)"}}},
      {R"(\)", {}, "", R"(Bearer realm="\\")", {{"realm", R"(\)"}}},
      {R"(", error="x)", {}, "", R"(Bearer realm="\", error=\"x")", {{"realm", R"(", error="x)"}}},
      {"a, b=c", {}, "", R"(Bearer realm="a, b=c")", {{"realm", "a, b=c"}}},
      {"caf\xC3\xA9", {}, "", "Bearer realm=\"caf\xC3\xA9\"", {{"realm", "caf\xC3\xA9"}}},
      {"api",
       {"invoice_*"},
       "",
       R"(Bearer realm="api", scope="invoice_*")",
       {{"realm", "api"}, {"scope", "invoice_*"}}},
      {"api", {"a", "a"}, "", R"(Bearer realm="api", scope="a")", {{"realm", "api"}, {"scope", "a"}}},
      {"api",
       {"b", "a", "b", "aa", "a"},
       "",
       R"(Bearer realm="api", scope="b a aa")",
       {{"realm", "api"}, {"scope", "b a aa"}}},
      {"api", {R"(a"\b)"}, "", R"(Bearer realm="api", scope="a\"\\b")", {{"realm", "api"}, {"scope", R"(a"\b)"}}},
  };
  for (const Case &test : cases) {
    const std::string text = write({test.realm, {test.scopes.data(), test.scopes.size()}, test.error, {}});
    EXPECT_EQ(text, test.text);
    EXPECT_EQ(ChallengeReader(text).read(), test.parameters) << text;
  }
}

// RFC 9728 section 5.1: what an MCP client needs.
TEST(Challenge, NamesTheResourceMetadata) {
  const std::string_view url = "https://api.example.com/.well-known/oauth-protected-resource/mcp?a=1,2";
  const std::string_view scopes[] = {"read", "write"};
  const struct {
    Challenge challenge;
    std::string_view text;
    Parameters parameters;
  } cases[] = {
      {{"api", {}, "", "https://a/"},
       R"(Bearer realm="api", resource_metadata="https://a/")",
       {{"realm", "api"}, {"resource_metadata", "https://a/"}}},
      {{"api", {scopes, 2}, "invalid_token", url},
       R"(Bearer realm="api", scope="read write", error="invalid_token", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp?a=1,2")",
       {{"realm", "api"},
        {"scope", "read write"},
        {"error", "invalid_token"},
        {"resource_metadata", std::string(url)}}},
      {{"api", {scopes, 1}, "", url},
       R"(Bearer realm="api", scope="read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp?a=1,2")",
       {{"realm", "api"}, {"scope", "read"}, {"resource_metadata", std::string(url)}}},
      {{"api", {}, "", R"(https://a/", error="x\)"},
       R"(Bearer realm="api", resource_metadata="https://a/\", error=\"x\\")",
       {{"realm", "api"}, {"resource_metadata", R"(https://a/", error="x\)"}}},
      {{"api", {}, "insufficient_scope", ""},
       R"(Bearer realm="api", error="insufficient_scope")",
       {{"realm", "api"}, {"error", "insufficient_scope"}}},
  };
  for (const auto &test : cases) {
    const std::string text = write(test.challenge);
    EXPECT_EQ(text, test.text);
    EXPECT_EQ(ChallengeReader(text).read(), test.parameters) << text;
  }
}

// RFC 9470 section 3, with the example of section 3.1.
TEST(Challenge, NamesTheAuthenticationThatIsWanted) {
  const std::string_view acr_values[] = {"myACR", R"(urn:"x"\)", "myACR"};
  Challenge challenge = {"api", {}, "insufficient_user_authentication", "", {acr_values, 1}, "5"};
  EXPECT_EQ(write(challenge),
            R"(Bearer realm="api", error="insufficient_user_authentication", acr_values="myACR", max_age="5")");
  challenge.acr_values = {acr_values, 3};
  challenge.max_age = "";
  challenge.resource_metadata = "https://a/";
  const Parameters expected = {{"realm", "api"},
                               {"error", "insufficient_user_authentication"},
                               {"acr_values", R"(myACR urn:"x"\)"},
                               {"resource_metadata", "https://a/"}};
  EXPECT_EQ(ChallengeReader(write(challenge)).read(), expected);
}

// RFC 9449 section 7.1, with its example: which algorithms may sign a proof comes first.
TEST(Challenge, OfDpopNamesTheAlgorithms) {
  const std::string_view algorithms[] = {"ES256", "PS256", "ES256"};
  const std::string_view scopes[] = {"read", "write"};
  const std::string_view acr_values[] = {"gold"};
  Challenge challenge;
  challenge.realm = R"(an "api")";
  challenge.scheme = Scheme::dpop;
  challenge.algorithms = {algorithms, 2};
  EXPECT_EQ(write(challenge), R"(DPoP algs="ES256 PS256", realm="an \"api\"")");
  challenge.algorithms = {algorithms, 3};
  challenge.scopes = {scopes, 2};
  challenge.error = "use_dpop_nonce";
  challenge.resource_metadata = "https://a/";
  challenge.acr_values = {acr_values, 1};
  challenge.max_age = "5";
  const Parameters expected = {{"algs", "ES256 PS256"},
                               {"realm", R"(an "api")"},
                               {"scope", "read write"},
                               {"error", "use_dpop_nonce"},
                               {"acr_values", "gold"},
                               {"max_age", "5"},
                               {"resource_metadata", "https://a/"}};
  EXPECT_EQ(ChallengeReader(write(challenge)).read("DPoP "), expected);
  challenge.scheme = Scheme::bearer;
  EXPECT_EQ(ChallengeReader(write(challenge)).read(), Parameters(expected.begin() + 1, expected.end()));
}

}  // namespace
}  // namespace oauth
