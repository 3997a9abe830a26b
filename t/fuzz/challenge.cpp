// The challenge: a strict parser of RFC 9110's grammar reads back exactly what was put in, whatever that was.

#include "oauth/challenge.h"

#include <algorithm>
#include <map>
#include <string>

#include "fuzz.h"
#include "oracle.h"

namespace {

/// Takes a text off the front.
void take(std::string_view &text, std::string_view expected) {
  REQUIRE(text.substr(0, expected.size()) == expected);
  text.remove_prefix(expected.size());
}

std::string take_quoted_string(std::string_view &text) {
  take(text, "\"");
  std::string value;
  while (true) {
    REQUIRE(!text.empty());
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') {
      return value;
    }
    if (c == '\\') {
      REQUIRE(!text.empty());
      value += text.front();
      text.remove_prefix(1);
    } else {
      value += c;
    }
  }
}

std::map<std::string, std::string> parse(std::string_view text, std::string_view scheme) {
  std::map<std::string, std::string> parameters;
  take(text, scheme);
  while (true) {
    const std::string name(text.substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_")));
    REQUIRE(!name.empty() && parameters.count(name) == 0);
    text.remove_prefix(name.size());
    take(text, "=");
    parameters[name] = take_quoted_string(text);
    if (text.empty()) {
      return parameters;
    }
    take(text, ", ");
  }
}

std::string join_first_ones(const std::vector<std::string_view> &scopes) {
  std::string joined;
  for (auto scope = scopes.begin(); scope != scopes.end(); ++scope) {
    if (std::find(scopes.begin(), scope, *scope) == scope) {
      joined += (joined.empty() ? "" : " ") + std::string(*scope);
    }
  }
  return joined;
}

}  // namespace

// A line each: realm, scopes, error, resource_metadata, acr_values, max_age, the algorithms of scheme DPoP (none:
// scheme Bearer).
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view realm = input.line();
  const std::vector<std::string_view> scopes = fuzz::split(input.line(), ' ');
  const std::string_view error = input.line();
  const std::string_view metadata = input.line();
  const std::vector<std::string_view> acr_values = fuzz::split(input.line(), ' ');
  const std::string_view max_age = input.line();
  const std::vector<std::string_view> algorithms = fuzz::split(input.line(), ' ');
  const oauth::Scheme scheme = algorithms.empty() ? oauth::Scheme::bearer : oauth::Scheme::dpop;
  const oauth::Challenge challenge = {realm,    fuzz::strings(scopes),     error,
                                      metadata, fuzz::strings(acr_values), max_age,
                                      scheme,   fuzz::strings(algorithms)};

  std::string text(oauth::challenge_size(challenge), '\0');
  REQUIRE(oauth::write_challenge(text.data(), challenge) == text.data() + text.size());
  std::map<std::string, std::string> expected = {{"realm", std::string(realm)}};
  if (!algorithms.empty()) {
    expected["algs"] = join_first_ones(algorithms);
  }
  if (!scopes.empty()) {
    expected["scope"] = join_first_ones(scopes);
  }
  if (!error.empty()) {
    expected["error"] = error;
  }
  if (!metadata.empty()) {
    expected["resource_metadata"] = metadata;
  }
  if (!acr_values.empty()) {
    expected["acr_values"] = join_first_ones(acr_values);
  }
  if (!max_age.empty()) {
    expected["max_age"] = max_age;
  }
  REQUIRE(parse(text, algorithms.empty() ? "Bearer " : "DPoP ") == expected);
  return 0;
}
