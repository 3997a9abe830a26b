#include "bearer.h"

#include <algorithm>
#include <array>

#include "../jose/strings.h"

namespace oauth {

namespace {

constexpr std::string_view b64token_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz"
    "0123456789-._~+/";

using CharacterTable = std::array<bool, 256>;

constexpr CharacterTable b64token_table() noexcept {
  CharacterTable table{};
  for (const char c : b64token_characters) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}

// RFC 6749 appendix A.12 allows any visible character and the space. Left out are the space, which ends a token in the
// header, and the characters that separate and quote in RFC 9110: with a comma allowed, two tokens would pass for one.
constexpr CharacterTable visible_table() noexcept {
  CharacterTable table{};
  for (unsigned char c = 0x21; c <= 0x7E; ++c) {
    table[c] = c != '"' && c != ',' && c != ';' && c != '\\';
  }
  return table;
}

bool consists_of(std::string_view text, const CharacterTable &allowed) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [&allowed](char c) noexcept { return allowed[static_cast<unsigned char>(c)]; });
}

// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" (RFC 6750 section 2.1)
bool is_b64token(std::string_view text) noexcept {
  static constexpr CharacterTable allowed = b64token_table();
  return consists_of(text.substr(0, text.find_last_not_of('=') + 1), allowed);
}

bool is_visible(std::string_view text) noexcept {
  static constexpr CharacterTable allowed = visible_table();
  return consists_of(text, allowed);
}

bool is_token(std::string_view text, TokenSyntax syntax) noexcept {
  return syntax == TokenSyntax::b64token ? is_b64token(text) : is_visible(text);
}

constexpr std::string_view bearer = "Bearer";
constexpr std::string_view dpop = "DPoP";

constexpr std::string_view name_of(Scheme scheme) noexcept {
  return scheme == Scheme::dpop ? dpop : bearer;
}

std::string_view scheme_of(std::string_view authorization) noexcept {
  return authorization.substr(0, authorization.find_first_of(" \t"));
}

BearerCredentials parse(std::string_view authorization, Scheme scheme, TokenSyntax syntax) noexcept {
  if (!has_scheme(authorization, scheme)) {
    return {};
  }
  std::string_view token = authorization.substr(name_of(scheme).size());
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  return read_token(token, syntax);
}

bool separates(char c) noexcept {
  return c == ',' || static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F;
}

}  // namespace

bool has_scheme(std::string_view authorization, Scheme scheme) noexcept {
  return jose::equal_ignoring_case(scheme_of(authorization), name_of(scheme));
}

BearerCredentials read_token(std::string_view text, TokenSyntax syntax) noexcept {
  if (!is_token(text, syntax)) {
    return {Credentials::malformed, {}};
  }
  return {Credentials::bearer, text};
}

BearerCredentials parse_bearer(std::string_view authorization, TokenSyntax syntax) noexcept {
  return parse(authorization, Scheme::bearer, syntax);
}

BearerCredentials parse_dpop(std::string_view authorization, TokenSyntax syntax) noexcept {
  return parse(authorization, Scheme::dpop, syntax);
}

bool may_hold_token(std::string_view authorization, Scheme scheme) noexcept {
  const std::string_view name = name_of(scheme);
  for (std::size_t i = 0; i + name.size() <= authorization.size(); ++i) {
    const std::size_t end = i + name.size();
    if ((i == 0 || separates(authorization[i - 1])) && (end == authorization.size() || separates(authorization[end])) &&
        jose::equal_ignoring_case(authorization.substr(i, name.size()), name)) {
      return true;
    }
  }
  return false;
}

}  // namespace oauth
