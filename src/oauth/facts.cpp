#include "facts.h"

#include <algorithm>
#include <string_view>

#include "../jose/strings.h"

namespace oauth {
namespace {

const jose::JsonValue *member_of(const jose::JsonValue *object, std::string_view name) noexcept {
  return object == nullptr ? nullptr : object->member(name);
}

/// @param source an object, or nullptr.
void gather_times(const jose::JsonValue *source, Facts &facts) noexcept {
  std::int64_t seconds = 0;
  if (const jose::JsonValue *exp = member_of(source, "exp")) {
    facts.exp_is_no_number |= !jose::read_numeric_date(*exp, seconds);
    facts.exp = std::min(facts.exp, seconds);
  }
  if (const jose::JsonValue *nbf = member_of(source, "nbf")) {
    facts.nbf_is_no_number |= !jose::read_numeric_date(*nbf, seconds);
    facts.nbf = std::max(facts.nbf, seconds);
  }
}

// Only a string has the text that token_type is compared with.
bool is_sender_constrained(const jose::JsonValue *source) noexcept {
  const jose::JsonValue *token_type = member_of(source, "token_type");
  return member_of(source, "cnf") != nullptr ||
         (token_type != nullptr && jose::equal_ignoring_case(token_type->text, "DPoP"));
}

const jose::JsonValue *granted_scopes(const jose::JsonValue &claims, const jose::JsonValue *members) noexcept {
  for (const jose::JsonValue *scope : {member_of(members, "scope"), claims.member("scope")}) {
    if (scope != nullptr) {
      return scope;
    }
  }
  return claims.member("scp");
}

}  // namespace

Facts gather_facts(const jose::JsonValue &claims, const jose::JsonValue *members,
                   const jose::JsonValue *envelope) noexcept {
  Facts facts;
  for (const jose::JsonValue *source : {members, &claims, envelope}) {
    gather_times(source, facts);
  }
  facts.issuer = claims.member("iss");
  facts.issuer_of_response = member_of(members, "iss");
  facts.audience = claims.member("aud");
  facts.audience_of_response = member_of(members, "aud");
  facts.scope = granted_scopes(claims, members);
  facts.is_sender_constrained = is_sender_constrained(members) || is_sender_constrained(&claims);
  facts.gathered = true;
  return facts;
}

}  // namespace oauth
