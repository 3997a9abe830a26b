#include "dpop_proof.h"

#include <algorithm>

#include "../jose/signed_text.h"
#include "dpop_header.h"
#include "target_uri.h"

namespace oauth {
namespace {

constexpr Verdict holds = {Outcome::active, nullptr};

constexpr Verdict refused(const char *problem) noexcept {
  return {Outcome::dpop_proof, problem};
}

constexpr Verdict openssl_failed = {Outcome::internal_error,
                                    "the proof cannot be checked: no memory, or OpenSSL failed"};

/// The clocks of client and server differ a little.
constexpr std::int64_t smallest_skew = 5;

std::int64_t skew_of(const DpopRequirements &requirements) noexcept {
  return std::max(requirements.leeway, smallest_skew);
}

std::string_view string_claim(const DpopProof &proof, std::string_view name) noexcept {
  const jose::JsonValue *claim = proof.claims->member(name);
  return claim != nullptr && claim->kind == jose::JsonKind::string ? claim->text : std::string_view();
}

Verdict read_header(DpopProof &proof, jose::Memory &memory) noexcept {
  const DpopHeader *header = nullptr;
  const Verdict verdict = find_dpop_header(proof.parts.header, memory, header);
  if (verdict.outcome == Outcome::active) {
    proof.algorithm = header->algorithm;
    std::copy_n(header->thumbprint, jose::thumbprint_size, proof.thumbprint);
  }
  return verdict;
}

/// @return how many characters of UTF-8 the text has.
std::size_t count_characters(std::string_view text) noexcept {
  constexpr unsigned char continuation_mask = 0xC0;
  constexpr unsigned char continuation = 0x80;
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) noexcept {
    return (static_cast<unsigned char>(c) & continuation_mask) != continuation;
  }));
}

Verdict read_claims(DpopProof &proof, jose::Memory &memory) noexcept {
  constexpr std::size_t longest_jti = 256;
  const char *problem = nullptr;
  proof.claims = jose::read_jwt_part(proof.parts.claims, memory, problem);
  if (proof.claims == nullptr) {
    return refused(problem);
  }
  proof.jti = string_claim(proof, "jti");
  if (proof.jti.empty() || count_characters(proof.jti) > longest_jti) {
    return refused("the jti of the proof is not a string of 1 to 256 characters");
  }
  const jose::JsonValue *iat = proof.claims->member("iat");
  if (iat == nullptr || !jose::read_numeric_date(*iat, proof.iat)) {
    return refused("the proof has no iat that is a number");
  }
  return holds;
}

Verdict check_algorithm(const DpopProof &proof, const DpopRequirements &requirements) noexcept {
  const jose::Strings &allowed = requirements.algorithms;
  const bool is_allowed = std::find(allowed.begin(), allowed.end(), jose::name(*proof.algorithm)) != allowed.end();
  return is_allowed ? holds : refused("the alg of the proof is not allowed here");
}

Verdict check_target(const DpopProof &proof, const ProvenRequest &request, jose::Memory &memory) noexcept {
  if (request.method.empty() || string_claim(proof, "htm") != request.method) {
    return refused("the htm of the proof is not the request's method");
  }
  if (!is_target_uri(request.uri)) {
    return refused("the request's URI is no absolute http or https URI, so no proof can be for it");
  }
  const std::string_view htu = string_claim(proof, "htu");
  return htu == request.uri || is_same_target(htu, request.uri, memory)
             ? holds
             : refused("the htu of the proof is not the request's URI");
}

/// Differences of times are taken only where they cannot overflow.
Verdict check_times(const DpopProof &proof, const DpopRequirements &requirements, std::int64_t now) noexcept {
  const std::int64_t latest = now + skew_of(requirements);
  if (proof.iat > latest) {
    return refused("the iat of the proof is ahead");
  }
  if (proof.iat < now - requirements.max_age) {
    return refused("the proof is too old");
  }
  // RFC 7519 sections 4.1.4 and 4.1.5: a proof need not have them.
  std::int64_t time = 0;
  const jose::JsonValue *exp = proof.claims->member("exp");
  if (exp != nullptr && (!jose::read_numeric_date(*exp, time) || time <= now - requirements.leeway)) {
    return refused("the exp of the proof is past, or no number");
  }
  const jose::JsonValue *nbf = proof.claims->member("nbf");
  if (nbf != nullptr && (!jose::read_numeric_date(*nbf, time) || time > latest)) {
    return refused("the nbf of the proof is ahead, or no number");
  }
  return holds;
}

Verdict check_token(const DpopProof &proof, std::string_view token) noexcept {
  char hash[jose::thumbprint_size];
  if (!jose::make_thumbprint(token, hash)) {
    return openssl_failed;
  }
  return string_claim(proof, "ath") == std::string_view(hash, sizeof(hash))
             ? holds
             : refused("the ath of the proof is not the hash of the token");
}

Verdict check_nonce(DpopProof &proof, const DpopRequirements &requirements, std::int64_t now) noexcept {
  if (requirements.nonces.secret.empty()) {
    return holds;
  }
  const std::string_view nonce = string_claim(proof, "nonce");
  if (nonce.empty()) {
    return {Outcome::dpop_nonce, "the proof has no nonce"};
  }
  switch (check_dpop_nonce(requirements.nonces, nonce, now, skew_of(requirements))) {
    case NonceState::good:
      return holds;
    case NonceState::ageing:
      proof.is_nonce_due = true;
      return holds;
    case NonceState::bad:
      return {Outcome::dpop_nonce, "the nonce of the proof is unknown or old"};
    default:
      return openssl_failed;
  }
}

}  // namespace

Verdict read_dpop_proof(std::string_view text, jose::Memory &memory, DpopProof &proof) noexcept {
  if (text.size() > largest_dpop_proof) {
    return refused("the proof is larger than 16 KiB");
  }
  proof.compact = text;
  if (const char *problem = jose::split_jwt(text, proof.parts)) {
    return refused(problem);
  }
  const Verdict verdict = read_header(proof, memory);
  return verdict.outcome == Outcome::active ? read_claims(proof, memory) : verdict;
}

Verdict check_dpop_proof(DpopProof &proof, const DpopRequirements &requirements, const ProvenRequest &request,
                         jose::Memory &memory) noexcept {
  const Verdict by_algorithm = check_algorithm(proof, requirements);
  if (by_algorithm.outcome != Outcome::active) {
    return by_algorithm;
  }
  const Verdict by_target = check_target(proof, request, memory);
  if (by_target.outcome != Outcome::active) {
    return by_target;
  }
  const Verdict by_times = check_times(proof, requirements, request.received);
  if (by_times.outcome != Outcome::active) {
    return by_times;
  }
  const Verdict by_token = check_token(proof, request.token);
  return by_token.outcome == Outcome::active ? check_nonce(proof, requirements, request.received) : by_token;
}

Verdict verify_dpop_proof(const DpopProof &proof, jose::Memory &memory) noexcept {
  jose::SignedText text;
  if (!text.read(proof.compact)) {
    return refused("its signature is longer than that of any key");
  }
  const DpopHeader *header = nullptr;
  const Verdict found = find_dpop_header(proof.parts.header, memory, header);
  if (found.outcome != Outcome::active) {
    return found;
  }
  switch (jose::verify(*header->algorithm, header->key, text.signed_part(), text.signature())) {
    case jose::Match::good:
      return holds;
    case jose::Match::no_memory:
      return {Outcome::internal_error, "no memory to verify the signature of the proof"};
    default:
      return refused("its signature is wrong");
  }
}

}  // namespace oauth
