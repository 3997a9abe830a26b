// Bearer credentials: what is taken for a token is exactly what RFC 6750 calls one, and a view into the header.

#include "oauth/bearer.h"

#include <cctype>
#include <string>

#include "fuzz.h"

namespace {

enum class Expected { missing, malformed, bearer };

bool may_stand_in_token(unsigned char c, oauth::TokenSyntax syntax) {
  if (syntax == oauth::TokenSyntax::visible) {
    return std::isgraph(c) != 0 && c < 0x80 && std::strchr("\",;\\", c) == nullptr;
  }
  return (c < 0x80 && std::isalnum(c) != 0) || std::strchr("-._~+/", c) != nullptr;
}

/// Reads the grammar as a machine, character by character.
Expected expect(const std::string &header, oauth::TokenSyntax syntax, std::string &token) {
  std::size_t at = 0;
  for (const char c : std::string("bearer")) {
    if (at == header.size() || (header[at++] | 0x20) != c) {
      return Expected::missing;
    }
  }
  if (at == header.size()) {
    return Expected::malformed;
  }
  if (header[at] != ' ') {
    return header[at] == '\t' ? Expected::malformed : Expected::missing;
  }
  while (at < header.size() && header[at] == ' ') {
    ++at;
  }
  token = header.substr(at);
  const std::size_t begin = at;
  while (at < header.size() && header[at] != '\0' &&
         may_stand_in_token(static_cast<unsigned char>(header[at]), syntax)) {
    ++at;
  }
  if (at == begin) {
    return Expected::malformed;
  }
  while (at < header.size() && header[at] == '=') {
    ++at;
  }
  return at == header.size() ? Expected::bearer : Expected::malformed;
}

}  // namespace

namespace {

void check(const std::string &header, oauth::TokenSyntax syntax) {
  const oauth::BearerCredentials read = oauth::parse_bearer(header, syntax);
  std::string token;
  switch (expect(header, syntax, token)) {
    case Expected::missing:
      REQUIRE(read.kind == oauth::Credentials::missing);
      break;
    case Expected::malformed:
      REQUIRE(read.kind == oauth::Credentials::malformed);
      break;
    case Expected::bearer:
      REQUIRE(read.kind == oauth::Credentials::bearer);
      REQUIRE(read.token == token);
      REQUIRE(read.token.data() + read.token.size() == header.data() + header.size());
      REQUIRE(oauth::parse_bearer("Bearer " + token, syntax).kind == oauth::Credentials::bearer);
      REQUIRE(oauth::parse_bearer("Bearer " + token, oauth::TokenSyntax::visible).kind == oauth::Credentials::bearer);
      return;
  }
  REQUIRE(read.token.empty());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string header(reinterpret_cast<const char *>(data), size);
  check(header, oauth::TokenSyntax::b64token);
  check(header, oauth::TokenSyntax::visible);
  return 0;
}
