// The JWT that the gateway signs: it is JSON as jansson reads it, has exactly the claims that the contract gives it,
// and is refused exactly where those cannot be put into a JWT. A copy of what is known of the token is signed alike.

#include "oauth/signed_jwt.h"

#include <string>

#include "document.h"
#include "fuzz.h"
#include "oauth/token_information_codec.h"
#include "oracle.h"

namespace {

constexpr std::int64_t now = 1700000000;
constexpr std::int64_t lifetime = 300;
constexpr std::string_view audience[] = {"api"};
constexpr std::string_view jwt_members[] = {"jwt"};
constexpr std::string_view reserved[] = {"active", "token_type", "iss", "sub", "aud",
                                         "exp",    "nbf",        "iat", "jti", "jwt"};

/// The claims that are wanted, with a blank between them, and `exchange`, with a `;` before it.
struct Settings {
  explicit Settings(std::string_view line) {
    names = fuzz::split(line.substr(0, line.find(';')), ' ');
    common.signer.secret = "secret";
    common.kid = "k";
    common.issuer = "gateway";
    common.audiences = {audience, 1};
    common.lifetime = lifetime;
    common.jwt_members = {jwt_members, 1};
    common.claims = fuzz::strings(names);
    common.is_exchange = line.find(";exchange") != std::string_view::npos;
  }

  bool wants(std::string_view name) const {
    const bool is_reserved = std::find(std::begin(reserved), std::end(reserved), name) != std::end(reserved);
    return !is_reserved && (names.empty() || std::find(names.begin(), names.end(), name) != names.end());
  }

  std::vector<std::string_view> names;
  oauth::SignedJwtTemplate common;
};

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the values are.
bool has_control(const json_t *value) {
  const char *name = nullptr;
  json_t *item = nullptr;
  std::size_t index = 0;
  json_object_foreach(const_cast<json_t *>(value), name, item) {
    if (has_control(std::string_view(name)) || has_control(item)) {
      return true;
    }
  }
  json_array_foreach(value, index, item) {
    if (has_control(item)) {
      return true;
    }
  }
  return json_is_string(value) && has_control(fuzz::text_of(value));
}

/// What the contract makes of the two documents.
struct Expected {
  Expected(const Settings &settings, const json_t *members, const json_t *claims) : object(json_object()) {
    const bool is_exchange = settings.common.is_exchange;
    const char *name = nullptr;
    json_t *value = nullptr;
    for (const json_t *document : {claims, members}) {  // the response's win
      json_object_foreach(const_cast<json_t *>(document), name, value) {
        const bool counts = document == claims || !is_exchange || std::string_view(name) == "scope";
        if (counts && !json_is_null(value) && settings.wants(name)) {
          json_object_set(object.get(), name, value);
        }
      }
    }
    for (const char *subject : {"sub", "client_id"}) {
      const json_t *found = is_exchange ? nullptr : fuzz::member(members, subject);
      found = found != nullptr ? found : fuzz::member(claims, subject);
      if (sub == nullptr && found != nullptr && !(json_is_string(found) && fuzz::text_of(found).empty())) {
        sub = found;
      }
    }
    can_be_signed = json_is_string(sub) && !has_control(sub) && !has_control(object.get());
  }

  fuzz::JsonPointer object;
  const json_t *sub = nullptr;
  bool can_be_signed = false;
};

/// @return the claims of the JWT; nullptr where it is refused.
fuzz::JsonPointer sign(const Settings &settings, const oauth::TokenInformation &information) {
  fuzz::Memory memory;
  oauth::SignedJwt jwt;
  const oauth::Verdict verdict = oauth::make_signed_jwt(settings.common, information, now, "AAAA", memory, jwt);
  REQUIRE(verdict.outcome == oauth::Outcome::active || verdict.outcome == oauth::Outcome::as_bad_response);
  if (verdict.outcome != oauth::Outcome::active) {
    return nullptr;
  }
  fuzz::Jws jws = fuzz::read_jws(jwt.compact);
  REQUIRE(jws.good || jws.open);
  return std::move(jws.claims);
}

void require_expected(const fuzz::JsonPointer &claims, const Expected &expected) {
  REQUIRE(fuzz::string_member(claims.get(), "iss") == std::string_view("gateway"));
  REQUIRE(fuzz::string_member(claims.get(), "aud") == std::string_view("api"));
  REQUIRE(fuzz::string_member(claims.get(), "sub") == fuzz::text_of(expected.sub));
  REQUIRE(json_real_value(json_object_get(claims.get(), "iat")) == now);
  REQUIRE(json_real_value(json_object_get(claims.get(), "exp")) <= now + lifetime);
  for (const char *name : {"iss", "aud", "sub", "iat", "exp", "jti"}) {
    REQUIRE(json_object_del(claims.get(), name) == 0);
  }
  REQUIRE(json_equal(claims.get(), expected.object.get()) == 1);
}

}  // namespace

// A line with the settings, one with the members of the response (empty: none), then the claims (empty: no JWT).
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const Settings settings(input.line());
  const fuzz::Document members(input.line());
  const fuzz::Document claims(input.rest());
  if (!(members.is_object || members.is_absent) || !(claims.is_object || claims.is_absent) ||
      (members.is_absent && claims.is_absent) || size > 16384) {
    return 0;
  }
  oauth::TokenInformation information;
  information.outcome = oauth::Outcome::active;
  information.members = members.ours;
  information.jwt.claims = claims.ours;
  information.checked_claims = oauth::gather_checked_claims(claims.ours, members.ours, nullptr);

  const Expected expected(settings, members.theirs.get(), claims.theirs.get());
  const fuzz::JsonPointer signed_claims = sign(settings, information);
  REQUIRE((signed_claims != nullptr) == expected.can_be_signed);
  if (signed_claims != nullptr) {
    require_expected(signed_claims, expected);
  }

  fuzz::Memory memory;
  std::string_view packed;
  oauth::TokenInformation copy;
  REQUIRE(jose::write_text(
      memory, [&](jose::Writer &writer) { oauth::pack(writer, information); }, packed));
  REQUIRE(oauth::unpack(packed, {}, memory, copy) && oauth::read_all(copy, memory));
  copy.jwt.claims = claims.ours;
  const fuzz::JsonPointer again = sign(settings, copy);
  REQUIRE((again != nullptr) == (signed_claims != nullptr));
  REQUIRE(again == nullptr || (require_expected(again, expected), true));
  return 0;
}
