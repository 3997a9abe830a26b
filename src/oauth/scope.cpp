#include "scope.h"

#include <algorithm>

namespace oauth {

namespace {

bool satisfies(std::string_view granted, std::string_view required) noexcept {
  if (!required.empty() && required.back() == '*') {
    const std::string_view prefix = required.substr(0, required.size() - 1);
    return granted.substr(0, prefix.size()) == prefix;
  }
  return granted == required;
}

bool string_grants(std::string_view scopes, std::string_view required) noexcept {
  while (!scopes.empty()) {
    const std::string_view scope = scopes.substr(0, scopes.find(' '));
    if (satisfies(scope, required)) {
      return true;
    }
    scopes.remove_prefix(std::min(scope.size() + 1, scopes.size()));
  }
  return false;
}

bool array_grants(const jose::JsonValue *element, std::string_view required) noexcept {
  for (; element != nullptr; element = element->next) {
    if (satisfies(element->text, required)) {
      return true;
    }
  }
  return false;
}

bool grants(const jose::JsonValue *granted, std::string_view required) noexcept {
  if (granted == nullptr) {
    return false;
  }
  if (granted->kind == jose::JsonKind::string) {
    return string_grants(granted->text, required);
  }
  return jose::is_array_of_strings(*granted) && array_grants(granted->first, required);
}

// scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) (RFC 6749 section 3.3)
bool is_scope_token_character(char c) noexcept {
  return c > ' ' && c <= '~' && c != '"' && c != '\\';
}

}  // namespace

bool scopes_satisfied(jose::Strings required, ScopeMatch match, const jose::JsonValue *granted) noexcept {
  const auto is_granted = [granted](std::string_view scope) noexcept { return grants(granted, scope); };
  if (match == ScopeMatch::any && !required.empty()) {
    return std::any_of(required.begin(), required.end(), is_granted);
  }
  return std::all_of(required.begin(), required.end(), is_granted);
}

bool is_scope_token(std::string_view scope) noexcept {
  return !scope.empty() && std::all_of(scope.begin(), scope.end(), is_scope_token_character);
}

bool is_required_scope(std::string_view scope) noexcept {
  return is_scope_token(scope) && scope != "*" && scope.find('*') >= scope.size() - 1;
}

}  // namespace oauth
