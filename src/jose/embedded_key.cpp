#include "embedded_key.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace jose {
namespace {

std::string_view string_member(const JsonValue &object, std::string_view name) noexcept {
  const JsonValue *member = object.member(name);
  return member != nullptr && member->kind == JsonKind::string ? member->text : std::string_view();
}

/// RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2.
bool has_private_member(const JsonValue &jwk) noexcept {
  constexpr std::string_view names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
  return std::any_of(std::begin(names), std::end(names),
                     [&jwk](std::string_view name) { return jwk.member_or_null(name) != nullptr; });
}

bool is_asymmetric(std::string_view kty) noexcept {
  return kty == "EC" || kty == "RSA" || kty == "OKP";
}

}  // namespace

const char *read_embedded_key(const JsonValue &header, JwkMembers &jwk) noexcept {
  const JsonValue *found = header.member("jwk");
  if (found == nullptr || found->kind != JsonKind::object) {
    return "its header has no jwk";
  }
  if (has_private_member(*found)) {
    return "the jwk in its header has a private member";
  }
  jwk = {string_member(*found, "kty"), string_member(*found, "crv"), string_member(*found, "x"),
         string_member(*found, "y"),   string_member(*found, "n"),   string_member(*found, "e")};
  return is_asymmetric(jwk.kty) ? nullptr : "the jwk in its header is no public key";
}

}  // namespace jose
