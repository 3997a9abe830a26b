// Scopes: granted are the words of a string between spaces, or the elements of an array of strings, and nothing
// else.

#include "oauth/scope.h"

#include <algorithm>
#include <string>

#include "fuzz.h"
#include "oracle.h"

namespace {

std::vector<std::string> granted_by(const json_t *value) {
  std::vector<std::string> scopes;
  if (json_is_string(value)) {
    for (const std::string_view scope : fuzz::split(fuzz::text_of(value), ' ')) {
      scopes.emplace_back(scope);
    }
  }
  for (std::size_t i = 0; fuzz::is_array_of_strings(value) && i < json_array_size(value); ++i) {
    scopes.emplace_back(fuzz::text_of(json_array_get(value, i)));
  }
  return scopes;
}

bool is_granted(const std::vector<std::string> &granted, std::string_view required) {
  const bool is_prefix = required.back() == '*';
  const std::string_view wanted = required.substr(0, required.size() - (is_prefix ? 1 : 0));
  return std::any_of(granted.begin(), granted.end(), [&](const std::string &scope) {
    return is_prefix ? scope.rfind(wanted, 0) == 0 : scope == wanted;
  });
}

}  // namespace

// A line `all` or `any`, a line with the required scopes, then the JSON value that grants.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const bool any = input.line() == "any";
  std::vector<std::string_view> required;
  for (const std::string_view scope : fuzz::split(input.line(), ' ')) {
    if (oauth::is_required_scope(scope)) {  // others do not get into a configuration
      REQUIRE(scope.find_first_of(" \"\\") == std::string_view::npos && scope != "*");
      required.push_back(scope);
    }
  }
  const auto match = any ? oauth::ScopeMatch::any : oauth::ScopeMatch::all;
  REQUIRE(oauth::scopes_satisfied(fuzz::strings(required), match, nullptr) == required.empty());

  const fuzz::Text copy(input.rest());
  fuzz::Memory memory;
  const char *problem = nullptr;
  const jose::JsonValue *value = jose::parse_json(copy.data(), copy.size(), memory, problem);
  const fuzz::Json theirs = fuzz::load(input.rest());
  if (value == nullptr || theirs.value == nullptr) {
    return 0;
  }
  const std::vector<std::string> granted = granted_by(theirs.value.get());
  const auto count = std::count_if(required.begin(), required.end(),
                                   [&](std::string_view scope) { return is_granted(granted, scope); });
  const bool expected = any && !required.empty() ? count > 0 : count == static_cast<std::ptrdiff_t>(required.size());
  REQUIRE(oauth::scopes_satisfied(fuzz::strings(required), match, value) == expected);
  return 0;
}
