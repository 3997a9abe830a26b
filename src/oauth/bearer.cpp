#include "bearer.h"

#include <algorithm>
#include <array>

#include "strings.h"

namespace oauth {

namespace {

constexpr std::string_view b64token_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz"
    "0123456789-._~+/";

constexpr std::array<bool, 256> b64token_table() noexcept {
  std::array<bool, 256> table{};
  for (const char c : b64token_characters) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}

// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" (RFC 6750 section 2.1)
bool is_b64token(std::string_view text) noexcept {
  static constexpr std::array<bool, 256> allowed = b64token_table();
  const std::string_view unpadded = text.substr(0, text.find_last_not_of('=') + 1);
  return !unpadded.empty() && std::all_of(unpadded.begin(), unpadded.end(),
                                          [](char c) noexcept { return allowed[static_cast<unsigned char>(c)]; });
}

}  // namespace

BearerCredentials parse_bearer(std::string_view authorization) noexcept {
  const auto end =
      std::find_if(authorization.begin(), authorization.end(), [](char c) { return c == ' ' || c == '\t'; });
  const std::string_view scheme = authorization.substr(0, static_cast<std::size_t>(end - authorization.begin()));
  if (!equal_ignoring_case(scheme, "Bearer")) {
    return {};
  }

  std::string_view token = authorization.substr(scheme.size());
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  if (!is_b64token(token)) {
    return {Credentials::malformed, {}};
  }
  return {Credentials::bearer, token};
}

}  // namespace oauth
