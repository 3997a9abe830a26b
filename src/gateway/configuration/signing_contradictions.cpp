#include "signing_contradictions.h"

#include "policy.h"

namespace gateway {
namespace {

bool is_utf8(jose::Strings list) noexcept {
  for (const std::string_view item : list) {
    if (!jose::is_utf8(item)) {
      return false;
    }
  }
  return true;
}

}  // namespace

const char *find_signing_contradiction(const phantom_token_location_t &location) noexcept {
  if (location.forward == PHANTOM_TOKEN_FORWARD_NONE && location.inbound_jwt == PHANTOM_TOKEN_INBOUND_PASS) {
    return "\"phantom_token_forward none\" and \"phantom_token_inbound_jwt pass\": nobody could verify the JWT, since "
           "the "
           "API does not get it; use \"phantom_token_inbound_jwt verify\"";
  }
  if (location.forward != PHANTOM_TOKEN_FORWARD_SIGN) {
    return nullptr;
  }
  const oauth::SignedJwtTemplate &jwt = location.policy->signing.jwt;
  if (signing_keys(location.signing_keys).empty()) {
    return "\"phantom_token_forward sign\" but no \"phantom_token_signing_key\": add it with the file of a private "
           "key, "
           "as \"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256\" makes one";
  }
  if (location.signed_issuer.len == 0) {
    return "\"phantom_token_forward sign\" but no \"phantom_token_signed_issuer\": add it with the URL by which the "
           "API knows this gateway";
  }
  if (jwt.audiences.empty()) {
    return "\"phantom_token_forward sign\" but no \"phantom_token_signed_audience\": add it with the name by which the "
           "API knows itself";
  }
  if (!jose::is_utf8(jwt.issuer) || !is_utf8(jwt.audiences)) {
    return "a \"phantom_token_signed_issuer\" or \"phantom_token_signed_audience\" that is no UTF-8, which a JWT "
           "cannot "
           "hold: correct it";
  }
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_PASS) {
    return "\"phantom_token_forward sign\" and \"phantom_token_inbound_jwt pass\": the gateway would sign what nobody "
           "has "
           "verified; use \"phantom_token_inbound_jwt verify\"";
  }
  return nullptr;
}

}  // namespace gateway
