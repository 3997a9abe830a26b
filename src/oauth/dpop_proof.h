#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../jose/jwt.h"
#include "../jose/memory.h"
#include "../jose/signature_algorithm.h"
#include "../jose/strings.h"
#include "../jose/thumbprint.h"
#include "dpop_nonce.h"
#include "outcome.h"

namespace oauth {

/// What a resource server asks of proofs.
struct DpopRequirements {
  jose::Strings algorithms;  ///< that may sign one: names that jose::find_signature_algorithm() knows
  std::int64_t max_age = 0;  ///< seconds since a proof's `iat`
  std::int64_t leeway = 0;   ///< seconds, not negative
  DpopNonces nonces;
};

/// The request that a proof must be for.
struct ProvenRequest {
  std::string_view method;
  std::string_view uri;       ///< absolute; query and fragment do not count
  std::string_view token;     ///< as the client sent it
  std::int64_t received = 0;  ///< seconds since the epoch
};

/// A proof of possession (RFC 9449 section 4.2). Views of its text and of the memory that it was read into.
struct DpopProof {
  std::string_view compact;
  jose::JwtParts parts;
  const jose::JsonValue *claims = nullptr;
  const jose::SignatureAlgorithm *algorithm = nullptr;
  char thumbprint[jose::thumbprint_size] = {};  ///< of the key in its header
  std::string_view jti;
  std::int64_t iat = 0;
  bool is_nonce_due = false;  ///< its nonce is past half its life
};

constexpr std::size_t largest_dpop_proof = 16384;  // bytes: twice what the header with the largest RSA key needs

/// Reads a proof, as far as that depends on no request (RFC 9449 section 4.3, checks 2 to 6 and 8).
/// @param text the value of the header DPoP.
/// @param proof set where the outcome is active.
/// @return active; dpop_proof; or internal_error where OpenSSL fails or there is no memory.
Verdict read_dpop_proof(std::string_view text, jose::Memory &memory, DpopProof &proof) noexcept;

/// Holds a proof to what is asked for and to the request (checks 5 and 9 to 13): all that costs less than a signature.
/// @return active; dpop_proof; dpop_nonce, where another nonce is asked for; or internal_error where OpenSSL fails.
Verdict check_dpop_proof(DpopProof &proof, const DpopRequirements &requirements, const ProvenRequest &request,
                         jose::Memory &memory) noexcept;

/// Verifies the signature by the key in the proof (check 7).
/// @return active; dpop_proof; or internal_error where there is no memory.
Verdict verify_dpop_proof(const DpopProof &proof, jose::Memory &memory) noexcept;

}  // namespace oauth
