// What the functions of src/jose and src/oauth take that a request may pass through.

#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "jose/base64url.h"
#include "jose/digest.h"
#include "jose/jwt.h"
#include "jose/openssl.h"
#include "jose/public_jwk.h"
#include "jose/sign.h"
#include "jose/signed_text.h"
#include "jose/thumbprint.h"
#include "oauth/bearer.h"
#include "oauth/challenge.h"
#include "oauth/decision.h"
#include "oauth/dpop_proof.h"
#include "oauth/form.h"
#include "oauth/signed_jwt.h"
#include "oauth/token_information.h"
#include "test_jwt.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::string_view token = "ThGV3wIN5Z4NZaM6QnnxGD565OXZgOMJ-LVa3_LmHD4";
constexpr std::int64_t now = 1700000000;
constexpr std::size_t kib = 1024;

/// Memory as a request's pool gives it: taken in order, freed as a whole.
class Arena final : public Memory {
 public:
  void *allocate(std::size_t size) noexcept override {
    const std::size_t aligned = (size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
    if (aligned > bytes_.size() - used_) {
      return nullptr;
    }
    used_ += aligned;
    return bytes_.data() + used_ - aligned;
  }

  void free_all() noexcept { used_ = 0; }

 private:
  alignas(std::max_align_t) std::array<std::byte, 1024 *kib> bytes_ = {};
  std::size_t used_ = 0;
};

/// @return a JWT of about that size: the claims of an access token, and as many groups as it takes.
std::string jwt_of_size(std::size_t size) {
  constexpr std::string_view header = R"({"alg":"RS256","typ":"at+jwt","kid":"bench"})";
  const std::string signature = base64url(std::string(256, 's'));
  std::string claims =
      R"({"iss":"https://login.example.com","aud":"https://api.example.com","sub":"alice","client_id":"app",)"
      R"("scope":"read write","iat":1699999000,"exp":1700003600,"jti":"3f6a0c1e","groups":["group-00000")";
  while (make_jwt(header, claims + "]}", signature).size() < size) {
    claims += R"(,"group-00000")";
  }
  return make_jwt(header, claims + "]}", signature);
}

/// Stops the program: what would be measured is not what the benchmark says.
void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void bearer(benchmark::State &state) {
  const std::string authorization = "Bearer " + std::string(token);
  require(parse_bearer(authorization, TokenSyntax::b64token).token == token);
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_bearer(authorization, TokenSyntax::b64token));
  }
}

void form(benchmark::State &state) {
  std::array<char, 3 * token.size()> out = {};
  for (auto _ : state) {
    benchmark::DoNotOptimize(form_encoded_size(token));
    benchmark::DoNotOptimize(form_encode(out.data(), token));
    benchmark::ClobberMemory();
  }
}

void base64url_decoding(benchmark::State &state) {
  const std::string text = base64url(std::string(static_cast<std::size_t>(state.range(0)), 'x'));
  std::string out(text.size(), ' ');
  require(base64url_decode(text, out.data()));
  for (auto _ : state) {
    benchmark::DoNotOptimize(base64url_decode(text, out.data()));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void claims(benchmark::State &state) {
  const std::string text = jwt_of_size(static_cast<std::size_t>(state.range(0)));
  static Arena arena;
  Jwt jwt;
  const char *problem = nullptr;
  for (auto _ : state) {
    arena.free_all();
    require(parse_jwt(text, arena, jwt, problem));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void decision(benchmark::State &state) {
  constexpr std::array scopes = {"read"sv};
  constexpr std::array issuers = {"https://login.example.com"sv};
  constexpr std::array audiences = {"https://api.example.com"sv};
  const std::string text = jwt_of_size(kib);
  static Arena arena;
  const TokenInformation information = accept_jwt(text, nullptr, arena);
  Requirements requirements;
  requirements.scopes = {scopes.data(), scopes.size()};
  requirements.issuers = {issuers.data(), issuers.size()};
  requirements.audiences = {audiences.data(), audiences.size()};
  require(decide(information, requirements, {}, now).outcome == Outcome::active);
  for (auto _ : state) {
    benchmark::DoNotOptimize(decide(information, requirements, {}, now));
  }
}

void challenge(benchmark::State &state) {
  constexpr std::array scopes = {"read"sv, "write"sv};
  const Challenge content = {"api", {scopes.data(), scopes.size()}, "invalid_token", {}};
  std::array<char, 256> out = {};
  require(challenge_size(content) <= out.size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(challenge_size(content));
    benchmark::DoNotOptimize(write_challenge(out.data(), content));
    benchmark::ClobberMemory();
  }
}

void key(benchmark::State &state) {
  constexpr std::array parts = {"introspection"sv, token,    "/_introspect"sv, "api.example.com"sv, "0"sv,
                                "gateway"sv,       "basic"sv};
  std::array<char, hex_digest_size> hex = {};
  for (auto _ : state) {
    require(hex_digest({parts.data(), parts.size()}, hex.data()));
    benchmark::ClobberMemory();
  }
}

/// What phantom_token_forward sign adds to a miss, or to a client assertion: an answer of ten members is read already.
void signing(benchmark::State &state, const char *algorithm, const char *type, const char *curve) {
  const std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>> key(
      curve != nullptr  ? EVP_PKEY_Q_keygen(nullptr, nullptr, type, curve)
      : type == "RSA"sv ? EVP_PKEY_Q_keygen(nullptr, nullptr, type, std::size_t{2048})
                        : EVP_PKEY_Q_keygen(nullptr, nullptr, type));
  constexpr std::array audiences = {"https://api.example.com"sv};
  SignedJwtTemplate common;
  common.signer = {find_signature_algorithm(algorithm), key.get(), {}};
  common.kid = "k1";
  common.issuer = "https://gateway.example.com";
  common.audiences = {audiences.data(), audiences.size()};
  common.lifetime = 300;
  std::string text = R"({"active":true,"sub":"248289761001","client_id":"app","scope":"read write","username":"alice",)"
                     R"("iss":"https://login.example.com","exp":4102444800,"iat":1700000000,"role":"admin","acr":"1"})";
  text.push_back('\0');
  static Arena members;
  static Arena arena;
  members.free_all();
  const char *problem = nullptr;
  const JsonValue *object = parse_json(text.data(), text.size() - 1, members, problem);
  require(object != nullptr);
  const TokenInformation information = accept_members(*object);
  SignedJwt jwt;
  for (auto _ : state) {
    arena.free_all();
    require(make_signed_jwt(common, information, now, "AAAAAAAAAAAAAAAAAAAAAA", arena, jwt).outcome == Outcome::active);
    benchmark::ClobberMemory();
  }
}

/// A proof of an algorithm, the request that it is for, and the same signature by itself.
struct SignedProof {
  std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>> key;
  const SignatureAlgorithm *algorithm;
  std::string text;
  ProvenRequest request = {"GET", "https://api.example.com/orders", token, now};
};

SignedProof sign_proof(const char *algorithm, const char *type, const char *curve, KeyKind kind) {
  SignedProof proof;
  proof.key.reset(curve != nullptr  ? EVP_PKEY_Q_keygen(nullptr, nullptr, type, curve)
                  : type == "RSA"sv ? EVP_PKEY_Q_keygen(nullptr, nullptr, type, std::size_t{2048})
                                    : EVP_PKEY_Q_keygen(nullptr, nullptr, type));
  proof.algorithm = find_signature_algorithm(algorithm);
  static Arena arena;
  std::string_view jwk;
  require(make_public_jwk({proof.key.get(), kind}, *proof.algorithm, "k", arena, jwk));
  const std::string header =
      R"({"typ":"dpop+jwt","alg":")" + std::string(algorithm) + R"(","jwk":)" + std::string(jwk) + "}";
  char hash[thumbprint_size];
  require(make_thumbprint(token, hash));
  const std::string claims = R"({"jti":"e1j3V_bKic8-LAEB","htm":"GET","htu":"https://api.example.com/orders","iat":)" +
                             std::to_string(now) + R"(,"ath":")" + std::string(hash, sizeof(hash)) + R"("})";
  std::string_view jws;
  require(make_compact_jws({proof.algorithm, proof.key.get(), {}}, header, claims, arena, jws));
  proof.text = jws;
  return proof;
}

/// What a proof adds to a hit, the replay zone aside: compare it with `verification`.
void proof(benchmark::State &state, const char *algorithm, const char *type, const char *curve, KeyKind kind) {
  const SignedProof signed_proof = sign_proof(algorithm, type, curve, kind);
  constexpr std::array algorithms = {"ES256"sv, "EdDSA"sv, "RS256"sv};
  const DpopRequirements requirements = {{algorithms.data(), algorithms.size()}, 60, 0, {}};
  static Arena arena;
  for (auto _ : state) {
    arena.free_all();
    DpopProof read;
    require(read_dpop_proof(signed_proof.text, arena, read).outcome == Outcome::active);
    require(check_dpop_proof(read, requirements, signed_proof.request, arena).outcome == Outcome::active);
    require(verify_dpop_proof(read, arena).outcome == Outcome::active);
  }
}

/// The signature alone, by OpenSSL: what cannot be saved.
void verification(benchmark::State &state, const char *algorithm, const char *type, const char *curve, KeyKind kind) {
  const SignedProof signed_proof = sign_proof(algorithm, type, curve, kind);
  SignedText text;
  require(text.read(signed_proof.text));
  const PublicKey key = {signed_proof.key.get(), kind};
  for (auto _ : state) {
    require(verify(*signed_proof.algorithm, key, text.signed_part(), text.signature()) == Match::good);
  }
}

BENCHMARK(bearer);
BENCHMARK(form);
BENCHMARK(base64url_decoding)->Arg(kib)->Arg(16 * kib);
BENCHMARK(claims)->Arg(kib)->Arg(16 * kib);
BENCHMARK(decision);
BENCHMARK(challenge);
BENCHMARK(key);
BENCHMARK_CAPTURE(signing, ES256, "ES256", "EC", "P-256");
BENCHMARK_CAPTURE(signing, ES384, "ES384", "EC", "P-384");
BENCHMARK_CAPTURE(signing, ES512, "ES512", "EC", "P-521");
BENCHMARK_CAPTURE(signing, EdDSA, "EdDSA", "ED25519", nullptr);
BENCHMARK_CAPTURE(signing, RS256, "RS256", "RSA", nullptr);
BENCHMARK_CAPTURE(signing, PS256, "PS256", "RSA", nullptr);
BENCHMARK_CAPTURE(proof, ES256, "ES256", "EC", "P-256", KeyKind::p256);
BENCHMARK_CAPTURE(verification, ES256, "ES256", "EC", "P-256", KeyKind::p256);
BENCHMARK_CAPTURE(proof, EdDSA, "EdDSA", "ED25519", nullptr, KeyKind::ed25519);
BENCHMARK_CAPTURE(verification, EdDSA, "EdDSA", "ED25519", nullptr, KeyKind::ed25519);
BENCHMARK_CAPTURE(proof, RS256, "RS256", "RSA", nullptr, KeyKind::rsa);
BENCHMARK_CAPTURE(verification, RS256, "RS256", "RSA", nullptr, KeyKind::rsa);

}  // namespace
}  // namespace oauth

BENCHMARK_MAIN();
