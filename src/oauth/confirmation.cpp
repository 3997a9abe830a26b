#include "confirmation.h"

namespace oauth {
namespace {

constexpr Verdict holds = {Outcome::active, nullptr};

/// A confirmation method, as the JSON response and the JWT have it: where both have one, both must hold.
struct Method {
  const jose::JsonValue *of_response;
  const jose::JsonValue *of_jwt;

  bool is_there() const noexcept { return of_response != nullptr || of_jwt != nullptr; }

  bool holds_for(std::string_view thumbprint) const noexcept {
    return !thumbprint.empty() && (of_response == nullptr || of_response->text == thumbprint) &&
           (of_jwt == nullptr || of_jwt->text == thumbprint);
  }
};

Verdict check_unbound(Confirmation confirmation, const ProvenKeys &proven) noexcept {
  if (proven.by_dpop) {
    return {Outcome::bound, "the token is bound to no key, and came with the scheme DPoP"};
  }
  return confirmation == Confirmation::require ? Verdict{Outcome::bound, "the token is bound to no key"} : holds;
}

Verdict check_bound(const CheckedClaims &claims, const ProvenKeys &proven) noexcept {
  if (claims.has_unknown_confirmation) {
    return {Outcome::bound,
            "the token is bound by what is not understood here: its cnf has other members than \"jkt\" "
            "and \"x5t#S256\", or none, or its token_type is DPoP and it has no \"jkt\""};
  }
  const Method jkt = {claims.jkt_of_response, claims.jkt};
  if (jkt.is_there() != proven.by_dpop) {
    return {Outcome::bound, proven.by_dpop ? "the token is bound to no key of a proof, and came with the scheme DPoP"
                                           : "the token is bound by \"jkt\", and came without the scheme DPoP"};
  }
  if (jkt.is_there() && !jkt.holds_for(proven.jwk)) {
    return {Outcome::dpop_proof, "the token is bound to another key than that of the proof"};
  }
  const Method certificate = {claims.certificate_of_response, claims.certificate};
  if (certificate.is_there() && !certificate.holds_for(proven.certificate)) {
    return {Outcome::certificate,
            proven.certificate.empty()
                ? "the token is bound to a certificate, and the client has shown none that can be "
                  "read"
                : "the token is bound to another certificate than the client's"};
  }
  return holds;
}

}  // namespace

Verdict check_confirmation(const CheckedClaims &claims, Confirmation confirmation, const ProvenKeys &proven) noexcept {
  if (!is_checked(confirmation)) {
    return claims.is_sender_constrained && confirmation == Confirmation::refuse
               ? Verdict{Outcome::bound, "the token is bound to a key, which is not checked here"}
               : holds;
  }
  return claims.is_sender_constrained ? check_bound(claims, proven) : check_unbound(confirmation, proven);
}

}  // namespace oauth
