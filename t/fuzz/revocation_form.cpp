// Forms that revoke: each is read as another decoder and the contract's list of parameters read it, or refused.

#include "oauth/revocation_form.h"

#include <cctype>
#include <map>
#include <optional>
#include <string>

#include "fuzz.h"
#include "oauth/form_reader.h"

namespace {

constexpr std::int64_t now = 1700000000;

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    std::size_t size = 1;
    if (text.front() == '%') {
      size = 3;
      if (text.size() < size || std::isxdigit(static_cast<unsigned char>(text[1])) == 0 ||
          std::isxdigit(static_cast<unsigned char>(text[2])) == 0) {
        return std::nullopt;
      }
      decoded += static_cast<char>(std::stoul(std::string(text.substr(1, 2)), nullptr, 16));
    } else {
      decoded += text.front() == '+' ? ' ' : text.front();
    }
    text.remove_prefix(size);
  }
  return decoded;
}

using Parameters = std::map<std::string, std::string>;

/// @return nothing where the body is no form, or one that is refused whatever its parameters mean.
std::optional<Parameters> read_parameters(std::string_view body) {
  Parameters parameters;
  while (!body.empty()) {
    const std::string_view pair = body.substr(0, body.find('&'));
    body.remove_prefix(std::min(pair.size() + 1, body.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = decode(pair.substr(0, equals));
    const auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value || name->empty() || !parameters.emplace(*name, *value).second ||
        parameters.size() > oauth::most_form_parameters) {
      return std::nullopt;
    }
  }
  return parameters;
}

/// @return nothing where it is no number of seconds.
std::optional<std::int64_t> read_seconds(const std::string &text) {
  const std::string digits = text.substr(std::min(text.find_first_not_of('0'), text.size()));
  const std::string largest = "9223372036854775807";
  const bool is_too_large = digits.size() > largest.size() || (digits.size() == largest.size() && digits > largest);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || is_too_large) {
    return std::nullopt;
  }
  return digits.empty() ? 0 : std::stoll(digits);
}

struct Expected {
  std::string name;  ///< of the one parameter that says what is revoked; empty: it is refused
  std::string value;
  std::string issuer;
  std::int64_t before = now;
};

Expected judge(std::string_view body) {
  auto parameters = read_parameters(body);
  Expected expected;
  for (const char *name : {"token", "jti", "sid", "sub", "client_id", "logout_token"}) {
    if (parameters && parameters->count(name) != 0) {
      if (!expected.name.empty()) {
        return {};
      }
      expected.name = name;
      expected.value = parameters->at(name);
      parameters->erase(expected.name);
    }
  }
  if (expected.name.empty() || expected.value.empty()) {
    return {};
  }
  for (const auto &[name, value] : *parameters) {
    const bool is_claim = expected.name != "token" && expected.name != "logout_token";
    const auto seconds = read_seconds(value);
    if (name == "iss" && is_claim && !value.empty()) {
      expected.issuer = value;
    } else if (name == "before" && is_claim && seconds) {
      expected.before = *seconds;
    } else if (name != "token_type_hint" || expected.name != "token") {
      return {};
    }
  }
  return expected;
}

/// What can be decoded comes back with its name.
void check_reader(std::string_view body) {
  fuzz::Memory memory;
  const oauth::FormResult form = oauth::read_form(body, memory);
  const auto parameters = read_parameters(body);
  REQUIRE((form.problem == nullptr) == parameters.has_value());
  std::size_t count = 0;
  for (const oauth::FormParameter *parameter = form.first; parameter != nullptr; parameter = parameter->next) {
    const auto found = parameters->find(std::string(parameter->name));
    REQUIRE(found != parameters->end() && found->second == parameter->value);
    ++count;
  }
  REQUIRE(count == (parameters ? parameters->size() : 0));
}

}  // namespace

// The body.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::vector<char> copy(data, data + size);  // so that AddressSanitizer sees what is read behind its end
  const std::string_view body(copy.data(), copy.size());
  check_reader(body);
  fuzz::Memory memory;
  const oauth::RevocationRequest request = oauth::read_revocation_form(body, now, memory);
  const Expected expected = judge(body);
  REQUIRE((request.problem == nullptr) == !expected.name.empty());
  if (request.problem != nullptr || expected.name == "logout_token") {
    REQUIRE(request.logout_token == expected.value && request.revocation.value.empty());
    return 0;
  }
  REQUIRE(request.logout_token.empty());
  REQUIRE(oauth::name(request.revocation.kind) == expected.name);
  REQUIRE(request.revocation.value == expected.value);
  REQUIRE(request.revocation.issuer == expected.issuer);
  REQUIRE(request.revocation.before == expected.before);
  return 0;
}
