// Signatures: good only where a key of the set, imported and used here with OpenSSL alone, verifies the very bytes; and
// where the header and the key say that they are meant for each other.

#include "jose/signature.h"

#include <openssl/err.h>

#include <algorithm>
#include <string>

#include "fuzz.h"
#include "oracle.h"
#include "signature_oracle.h"

namespace {

bool is_for_verifying(const json_t *jwk) {
  const json_t *operations = json_object_get(jwk, "key_ops");
  bool verify = operations == nullptr;
  for (std::size_t i = 0; i < json_array_size(operations); ++i) {
    const json_t *operation = json_array_get(operations, i);
    verify = verify || (json_is_string(operation) && fuzz::text_of(operation) == "verify");
  }
  return verify && (json_object_get(jwk, "use") == nullptr || fuzz::string_member(jwk, "use") == "sig");
}

/// Whether some key of the set is meant for this header and verifies.
bool some_key_verifies(const json_t *set, const fuzz::Jws &jws) {
  constexpr std::string_view algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384",   "PS512",
                                             "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"};
  const std::string_view alg = fuzz::string_member(jws.header.get(), "alg").value_or("");
  if (std::find(std::begin(algorithms), std::end(algorithms), alg) == std::end(algorithms) ||
      json_object_get(jws.header.get(), "crit") != nullptr) {
    return false;
  }
  const json_t *keys = json_object_get(set, "keys");
  for (std::size_t i = 0; i < json_array_size(keys); ++i) {
    const json_t *jwk = json_array_get(keys, i);
    const json_t *kid = fuzz::member(jws.header.get(), "kid");
    const bool named = kid == nullptr || (json_is_string(kid) && fuzz::string_member(jwk, "kid") == fuzz::text_of(kid));
    const bool fits = json_object_get(jwk, "alg") == nullptr || fuzz::string_member(jwk, "alg") == alg;
    if (named && fits && is_for_verifying(jwk) && fuzz::verifies(jwk, alg, jws.compact)) {
      return true;
    }
  }
  return false;
}

void check(jose::KeySet &keys, std::string_view text, std::string_view set) {
  fuzz::Memory memory;
  jose::Jwt jwt;
  const char *problem = nullptr;
  if (!jose::parse_jwt(text, memory, jwt, problem)) {
    REQUIRE(problem != nullptr);
    return;
  }
  const jose::VerificationResult result = jose::verify_signature(keys, jwt);
  REQUIRE((result.verification == jose::Verification::good) == (result.problem == nullptr));
  REQUIRE((result.verification == jose::Verification::good) == jose::has_verified(keys, jwt.compact));
  REQUIRE(ERR_peek_error() == 0);  // nginx would log it against the next TLS connection
  if (result.verification == jose::Verification::good) {
    REQUIRE(some_key_verifies(fuzz::load(set).value.get(), fuzz::read_jws(text)));
  }
  ERR_clear_error();
}

}  // namespace

// A line with a JWT, then a JWK Set.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view jwt = input.line();
  const jose::KeySetResult result = jose::parse_key_set(input.rest());
  REQUIRE((result.keys == nullptr) == (result.problem != nullptr));
  REQUIRE(ERR_peek_error() == 0);
  if (result.keys != nullptr) {
    const fuzz::Json set = fuzz::load(input.rest());
    REQUIRE(json_is_array(json_object_get(set.value.get(), "keys")));
    check(*result.keys, jwt, input.rest());
    jose::free_key_set(result.keys);
  }
  return 0;
}
