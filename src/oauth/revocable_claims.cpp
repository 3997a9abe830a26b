#include "revocable_claims.h"

#include <algorithm>
#include <utility>

namespace oauth {
namespace {

using jose::JsonKind;
using jose::JsonValue;

/// A claim that is a number, such as a `sub` of 42, is what its digits say.
/// @return empty where there is none.
std::string_view text_of(const JsonValue *source, std::string_view name) noexcept {
  const JsonValue *claim = source == nullptr ? nullptr : source->member(name);
  const bool has_text = claim != nullptr && (claim->kind == JsonKind::string || claim->kind == JsonKind::number);
  return has_text ? claim->text : std::string_view();
}

/// @return of the source, else of the other one, else no_iat.
std::int64_t iat_of(const JsonValue *source, const JsonValue *other) noexcept {
  std::int64_t iat = RevocableClaim::no_iat;
  for (const JsonValue *one : {source, other}) {
    const JsonValue *claim = one == nullptr ? nullptr : one->member("iat");
    if (claim != nullptr && jose::read_numeric_date(*claim, iat)) {
      return iat;
    }
  }
  return RevocableClaim::no_iat;
}

std::string_view issuer_of(const JsonValue *source, const JsonValue *other) noexcept {
  const std::string_view issuer = text_of(source, "iss");
  return issuer.empty() ? text_of(other, "iss") : issuer;
}

/// Most responses say what their JWT says: then one of the two is enough.
bool is_listed(const RevocableClaim &claim, const RevocableClaim *begin, const RevocableClaim *end) noexcept {
  return std::any_of(begin, end, [&claim](const RevocableClaim &listed) {
    return listed.kind == claim.kind && listed.iat == claim.iat && listed.value == claim.value &&
           listed.issuer == claim.issuer;
  });
}

}  // namespace

std::size_t list_revocable_claims(const jose::JsonValue *jwt_claims, const jose::JsonValue *members,
                                  RevocableClaim *claims) noexcept {
  constexpr RevokedKind kinds[] = {RevokedKind::jti, RevokedKind::sid, RevokedKind::sub, RevokedKind::client_id};
  const std::pair<const JsonValue *, const JsonValue *> sources[] = {{jwt_claims, members}, {members, jwt_claims}};
  std::size_t count = 0;
  for (const auto &[source, other] : sources) {
    const std::string_view issuer = issuer_of(source, other);
    const std::int64_t iat = iat_of(source, other);
    for (const RevokedKind kind : kinds) {
      const std::string_view value = text_of(source, name(kind));
      const RevocableClaim claim = {value, issuer, iat, quick_hash(value), kind};
      if (!value.empty() && !is_listed(claim, claims, claims + count)) {
        claims[count++] = claim;
      }
    }
  }
  return count;
}

}  // namespace oauth
