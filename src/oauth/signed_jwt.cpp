#include "signed_jwt.h"

#include <algorithm>
#include <iterator>

#include "../jose/json_walk.h"
#include "../jose/json_writer.h"
#include "../jose/writer.h"

namespace oauth {
namespace {

constexpr std::string_view reserved_claims[] = {"active", "token_type", "iss", "sub", "aud",
                                                "exp",    "nbf",        "iat", "jti"};

bool contains(jose::Strings names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What is known of a token, as claims for the JWT to be signed.
class TokenClaims {
 public:
  TokenClaims(const SignedJwtTemplate &common, const TokenInformation &information) noexcept
      : common_(common), members_(information.members), claims_(information.jwt.claims) {}

  /// @return the response's, else the JWT's; nullptr where neither has it.
  const jose::JsonValue *find(std::string_view name) const noexcept {
    const jose::JsonValue *member = of_response(name);
    return member != nullptr || claims_ == nullptr ? member : claims_->member(name);
  }

  /// Calls `visit` with each claim that goes into the JWT as it is.
  template <typename Visit>
  void for_each(Visit visit) const noexcept {
    for (const jose::JsonValue *member = first_of(members_); member != nullptr; member = member->next) {
      if (is_taken(*member) && is_claim_of_response(member->name)) {
        visit(*member);
      }
    }
    for (const jose::JsonValue *claim = first_of(claims_); claim != nullptr; claim = claim->next) {
      if (is_taken(*claim) && of_response(claim->name) == nullptr) {
        visit(*claim);
      }
    }
  }

 private:
  static const jose::JsonValue *first_of(const jose::JsonValue *object) noexcept {
    return object == nullptr ? nullptr : object->first;
  }

  bool is_claim_of_response(std::string_view name) const noexcept {
    return members_ != nullptr && (!common_.is_exchange || name == "scope");
  }

  const jose::JsonValue *of_response(std::string_view name) const noexcept {
    return is_claim_of_response(name) ? members_->member(name) : nullptr;
  }

  bool is_taken(const jose::JsonValue &claim) const noexcept {
    return claim.kind != jose::JsonKind::null && !is_reserved_claim(claim.name) &&
           !contains(common_.jwt_members, claim.name) &&
           (common_.claims.empty() || contains(common_.claims, claim.name));
  }

  const SignedJwtTemplate &common_;
  const jose::JsonValue *members_;
  const jose::JsonValue *claims_;
};

bool has_control_character(const jose::JsonValue &claim) noexcept {
  bool found = false;
  jose::walk(
      claim,
      [&found](const jose::JsonValue &value, const jose::JsonValue * /*container*/) noexcept {
        found = found || jose::has_control_character(value.name) || jose::has_control_character(value.text);
      },
      [](const jose::JsonValue & /*container*/) noexcept {});
  return found;
}

/// RFC 9068 section 2.2: without a resource owner, the client is the subject.
/// @return nullptr where the token has neither.
const jose::JsonValue *find_subject(const TokenClaims &claims) noexcept {
  for (const char *name : {"sub", "client_id"}) {
    const jose::JsonValue *claim = claims.find(name);
    if (claim != nullptr && !(claim->kind == jose::JsonKind::string && claim->text.empty())) {
      return claim;
    }
  }
  return nullptr;
}

/// @return nullptr, or why the claims cannot be put into a JWT.
const char *find_fault(const TokenClaims &claims, const jose::JsonValue *subject) noexcept {
  if (subject == nullptr) {
    return "the token has neither sub nor client_id, and the JWT for the API needs a sub";
  }
  if (subject->kind != jose::JsonKind::string) {
    return "the sub of the token is not a string, and the JWT for the API needs one";
  }
  bool has_control = has_control_character(*subject);
  claims.for_each([&has_control](const jose::JsonValue &claim) noexcept {
    has_control = has_control || has_control_character(claim);
  });
  return has_control ? "a claim of the token has control characters, which the JWT for the API may not have" : nullptr;
}

/// RFC 7519 section 4.1.3: one audience is a string, several are an array.
void put_audience(jose::Writer &writer, jose::Strings audiences) noexcept {
  const bool is_one = audiences.count == 1;
  writer.put(is_one ? "" : "[");
  for (const std::string_view &audience : audiences) {
    writer.put(&audience == audiences.begin() ? "" : ",");
    jose::put_json_string(writer, audience);
  }
  writer.put(is_one ? "" : "]");
}

struct Times {
  std::int64_t iat;
  std::int64_t exp;
};

void put_claims(jose::Writer &writer, const SignedJwtTemplate &common, const TokenClaims &claims,
                std::string_view subject, Times times, std::string_view jti) noexcept {
  writer.put(R"({"iss":)");
  jose::put_json_string(writer, common.issuer);
  writer.put(R"(,"sub":)");
  jose::put_json_string(writer, subject);
  writer.put(R"(,"aud":)");
  put_audience(writer, common.audiences);
  writer.put(R"(,"iat":)");
  jose::put_json_number(writer, times.iat);
  writer.put(R"(,"exp":)");
  jose::put_json_number(writer, times.exp);
  writer.put(R"(,"jti":")");
  writer.put(jti);
  writer.put('"');
  claims.for_each([&writer](const jose::JsonValue &claim) noexcept {
    writer.put(',');
    jose::put_json_string(writer, claim.name);
    writer.put(':');
    jose::put_json(writer, claim);
  });
  writer.put('}');
}

void put_header(jose::Writer &writer, const SignedJwtTemplate &common) noexcept {
  writer.put(R"({"alg":")");
  writer.put(algorithm_name(common.signer));
  writer.put(R"(","typ":"at+jwt","kid":)");
  jose::put_json_string(writer, common.kid);
  writer.put('}');
}

constexpr Verdict cannot_sign = {Outcome::internal_error,
                                 "the JWT for the API cannot be signed: no memory, or OpenSSL failed"};

}  // namespace

bool is_reserved_claim(std::string_view name) noexcept {
  return contains({reserved_claims, std::size(reserved_claims)}, name);
}

Verdict make_signed_jwt(const SignedJwtTemplate &common, const TokenInformation &information, std::int64_t now,
                        std::string_view jti, jose::Memory &memory, SignedJwt &jwt) noexcept {
  const TokenClaims claims(common, information);
  const jose::JsonValue *subject = find_subject(claims);
  if (const char *fault = find_fault(claims, subject)) {
    return {Outcome::as_bad_response, fault};
  }
  const Times times = {now, std::min(information.checked_claims.exp, now + common.lifetime)};
  std::string_view header;
  std::string_view payload;
  if (!jose::write_text(
          memory, [&](jose::Writer &writer) { put_header(writer, common); }, header) ||
      !jose::write_text(
          memory, [&](jose::Writer &writer) { put_claims(writer, common, claims, subject->text, times, jti); },
          payload)) {
    return cannot_sign;
  }
  if (payload.size() > largest_signed_claims) {
    return {Outcome::as_bad_response, "the claims of the token take more than 64 KB, too much for the JWT for the API"};
  }
  jwt.exp = times.exp;
  return jose::make_compact_jws(common.signer, header, payload, memory, jwt.compact) ? Verdict{Outcome::active}
                                                                                     : cannot_sign;
}

}  // namespace oauth
