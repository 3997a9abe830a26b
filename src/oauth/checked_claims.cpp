#include "checked_claims.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "../jose/strings.h"

namespace oauth {
namespace {

const jose::JsonValue *member_of(const jose::JsonValue *object, std::string_view name) noexcept {
  return object == nullptr ? nullptr : object->member(name);
}

/// @param source an object, or nullptr.
void gather_times(const jose::JsonValue *source, CheckedClaims &checked_claims) noexcept {
  std::int64_t seconds = 0;
  if (const jose::JsonValue *exp = member_of(source, "exp")) {
    checked_claims.exp_is_no_number |= !jose::read_numeric_date(*exp, seconds);
    checked_claims.exp = std::min(checked_claims.exp, seconds);
  }
  if (const jose::JsonValue *nbf = member_of(source, "nbf")) {
    checked_claims.nbf_is_no_number |= !jose::read_numeric_date(*nbf, seconds);
    checked_claims.nbf = std::max(checked_claims.nbf, seconds);
  }
}

// A value that is not a string never has the text "DPoP", so that its kind need not be checked.
bool has_dpop_type(const jose::JsonValue *source) noexcept {
  const jose::JsonValue *token_type = member_of(source, "token_type");
  return token_type != nullptr && jose::equal_ignoring_case(token_type->text, "DPoP");
}

/// The confirmation methods of one `cnf` (RFC 7800 section 3.1).
struct ConfirmationMethods {
  bool is_understood = true;
  const jose::JsonValue *jkt = nullptr;
  const jose::JsonValue *certificate = nullptr;
};

/// Keycloak says beside a `jkt` how it came to be, which asks for nothing else.
bool is_remark_about_jkt(const jose::JsonValue &member) noexcept {
  return member.name == "kc-jkt-type" && member.kind == jose::JsonKind::string && member.text == "DPoP";
}

/// @param cnf nullptr where there is none.
ConfirmationMethods read_methods(const jose::JsonValue *cnf) noexcept {
  ConfirmationMethods methods;
  if (cnf == nullptr) {
    return methods;
  }
  methods.jkt = cnf->member("jkt");
  methods.certificate = cnf->member("x5t#S256");
  methods.is_understood = methods.jkt != nullptr || methods.certificate != nullptr;
  for (const jose::JsonValue *member = cnf->first; member != nullptr; member = member->next) {
    const bool is_method = member == methods.jkt || member == methods.certificate;
    const bool is_harmless =
        member->kind == jose::JsonKind::null || (methods.jkt != nullptr && is_remark_about_jkt(*member));
    methods.is_understood &= is_method ? member->kind == jose::JsonKind::string : is_harmless;
  }
  return methods;
}

/// RFC 7800 section 3.1 lets a recipient accept a token whose `cnf` it does not understand. Here it is refused.
void gather_confirmation(const jose::JsonValue *claims, const jose::JsonValue *members,
                         CheckedClaims &checked_claims) noexcept {
  const jose::JsonValue *cnf = member_of(claims, "cnf");
  const jose::JsonValue *cnf_of_response = member_of(members, "cnf");
  const bool has_type = has_dpop_type(members) || has_dpop_type(claims);
  const ConfirmationMethods methods = read_methods(cnf);
  const ConfirmationMethods of_response = read_methods(cnf_of_response);
  checked_claims.is_sender_constrained = has_type || cnf != nullptr || cnf_of_response != nullptr;
  checked_claims.has_unknown_confirmation = !methods.is_understood || !of_response.is_understood ||
                                            (has_type && methods.jkt == nullptr && of_response.jkt == nullptr);
  checked_claims.jkt = methods.jkt;
  checked_claims.jkt_of_response = of_response.jkt;
  checked_claims.certificate = methods.certificate;
  checked_claims.certificate_of_response = of_response.certificate;
}

const jose::JsonValue *first_member_of(std::initializer_list<const jose::JsonValue *> objects,
                                       std::string_view name) noexcept {
  for (const jose::JsonValue *object : objects) {
    if (const jose::JsonValue *member = member_of(object, name)) {
      return member;
    }
  }
  return nullptr;
}

const jose::JsonValue *granted_scopes(const jose::JsonValue *claims, const jose::JsonValue *members) noexcept {
  const jose::JsonValue *scope = first_member_of({members, claims}, "scope");
  return scope != nullptr ? scope : member_of(claims, "scp");
}

}  // namespace

CheckedClaims gather_checked_claims(const jose::JsonValue *claims, const jose::JsonValue *members,
                                    const jose::JsonValue *envelope) noexcept {
  CheckedClaims checked_claims;
  for (const jose::JsonValue *source : {members, claims, envelope}) {
    gather_times(source, checked_claims);
  }
  // Where there is no JWT, the response alone says who has issued the token and for whom.
  const jose::JsonValue *issued = claims != nullptr ? claims : members;
  const jose::JsonValue *response = claims != nullptr ? members : nullptr;
  checked_claims.issuer = member_of(issued, "iss");
  checked_claims.issuer_of_response = member_of(response, "iss");
  checked_claims.audience = member_of(issued, "aud");
  checked_claims.audience_of_response = member_of(response, "aud");
  checked_claims.scope = granted_scopes(claims, members);
  checked_claims.acr = first_member_of({claims, members}, "acr");
  checked_claims.auth_time = first_member_of({claims, members}, "auth_time");
  gather_confirmation(claims, members, checked_claims);
  checked_claims.gathered = true;
  return checked_claims;
}

}  // namespace oauth
