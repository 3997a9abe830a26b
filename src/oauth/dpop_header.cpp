#include "dpop_header.h"

#include <cstddef>
#include <cstdlib>
#include <functional>

#include "../jose/base64url.h"
#include "../jose/embedded_key.h"
#include "../jose/jwt.h"

namespace oauth {
namespace {

constexpr Verdict holds = {Outcome::active, nullptr};

constexpr Verdict refused(const char *problem) noexcept {
  return {Outcome::dpop_proof, problem};
}

constexpr Verdict no_memory = {Outcome::internal_error, "no memory for the proof, or OpenSSL failed"};

/// A header that is kept, and the text by which it is found.
struct KeptHeader {
  char *encoded = nullptr;  ///< on the heap
  std::size_t size = 0;
  DpopHeader header;

  bool is(std::string_view text) const noexcept {
    return encoded != nullptr && std::string_view(encoded, size) == text;
  }
};

constexpr std::size_t most_kept = 256;
KeptHeader kept_headers[most_kept];

KeptHeader &place_of(std::string_view encoded) noexcept {
  return kept_headers[std::hash<std::string_view>()(encoded) % most_kept];
}

void forget(KeptHeader &kept) noexcept {
  std::free(kept.encoded);
  jose::free_public_key(kept.header.key);
  kept = {};
}

/// To verify by a larger one takes milliseconds, and anybody can send one.
bool is_too_large(const jose::JwkMembers &jwk) noexcept {
  constexpr std::size_t largest_modulus = jose::base64url_encoded_size(8192 / 8);
  constexpr std::size_t largest_exponent = jose::base64url_encoded_size(4);
  return jwk.n.size() > largest_modulus || jwk.e.size() > largest_exponent;
}

Verdict import_key(const jose::JwkMembers &jwk, DpopHeader &header) noexcept {
  if (is_too_large(jwk)) {
    return refused("the RSA key in its header has more than 8192 bits, or an exponent of more than 32");
  }
  switch (jose::import_public_key(jwk, header.key)) {
    case jose::Import::good:
      break;
    case jose::Import::no_memory:
      return no_memory;
    default:
      return refused("the key in its header is broken, too weak, or of a curve that signs nothing");
  }
  return jose::fits(*header.algorithm, header.key.kind) ? holds : refused("the key in its header does not fit its alg");
}

Verdict read(std::string_view encoded, jose::Memory &memory, DpopHeader &header) noexcept {
  const char *problem = nullptr;
  const jose::JsonValue *members = jose::read_jwt_part(encoded, memory, problem);
  if (members == nullptr) {
    return refused(problem);
  }
  if (!jose::has_type(*members, "dpop+jwt")) {
    return refused("the typ of the proof is not dpop+jwt");
  }
  if (!jose::has_algorithm(*members)) {
    return refused(jose::jwt_is_not_signed);
  }
  header.algorithm = jose::find_signature_algorithm(members->member("alg")->text);
  if (header.algorithm == nullptr) {
    return refused("the alg of the proof is none of an asymmetric signature that is supported");
  }
  if (members->member_or_null("crit") != nullptr) {
    return refused("the proof's header has crit, which is not supported");
  }
  jose::JwkMembers jwk;
  problem = jose::read_embedded_key(*members, jwk);
  if (problem != nullptr) {
    return refused(problem);
  }
  return jose::make_thumbprint(jwk, memory, header.thumbprint) ? import_key(jwk, header) : no_memory;
}

/// @return false where there is no memory; then nothing is kept.
bool keep(std::string_view encoded, const DpopHeader &header, KeptHeader &place) noexcept {
  forget(place);
  place.encoded = static_cast<char *>(std::malloc(encoded.size()));
  if (place.encoded == nullptr) {
    return false;
  }
  place.size = encoded.copy(place.encoded, encoded.size());
  place.header = header;
  return true;
}

}  // namespace

Verdict find_dpop_header(std::string_view encoded, jose::Memory &memory, const DpopHeader *&header) noexcept {
  KeptHeader &place = place_of(encoded);
  if (!place.is(encoded)) {
    DpopHeader found;
    Verdict verdict = read(encoded, memory, found);
    if (verdict.outcome == Outcome::active && !keep(encoded, found, place)) {
      verdict = no_memory;
    }
    if (verdict.outcome != Outcome::active) {
      jose::free_public_key(found.key);
      return verdict;
    }
  }
  header = &place.header;
  return holds;
}

void forget_dpop_headers() noexcept {
  for (KeptHeader &kept : kept_headers) {
    forget(kept);
  }
}

}  // namespace oauth
