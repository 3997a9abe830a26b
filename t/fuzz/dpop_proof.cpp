// DPoP proofs: what the three steps say together is what the contract says of them as jansson reads them, by a
// normaliser of URIs of its own and by OpenSSL's verification. Proofs that the target signs itself get past the
// signature.

#include "oauth/dpop_proof.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "fuzz.h"
#include "jose/public_jwk.h"
#include "oracle.h"
#include "signature_oracle.h"
#include "uri_oracle.h"

namespace {

using oauth::Outcome;

constexpr std::string_view secret = "a secret of 32 bytes, or of more";

std::int64_t number(std::string_view digits) {
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + std::min<std::size_t>(digits.size(), 12), value);
  return std::max<std::int64_t>(value, 0);
}

/// What is asked of proofs, as a line: algorithms, the greatest age, leeway, the life of nonces (0: none are asked
/// for), the time, method, token, with `;` between them; then the URI of the request as a line of its own.
struct Settings {
  Settings(std::string_view line, std::string_view target) : uri(target) {
    std::string_view fields[7];
    for (std::string_view &field : fields) {
      field = line.substr(0, line.find(';'));
      line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    algorithms = fuzz::split(fields[0], ' ');
    max_age = number(fields[1]);
    leeway = number(fields[2]);
    lifetime = number(fields[3]);
    now = number(fields[4]);
    method = fields[5];
    token = fields[6];
  }

  oauth::DpopRequirements requirements() const {
    return {fuzz::strings(algorithms), max_age, leeway, {lifetime == 0 ? std::string_view() : secret, lifetime}};
  }

  std::int64_t latest() const { return now + std::max<std::int64_t>(leeway, 5); }

  std::vector<std::string_view> algorithms;
  std::int64_t max_age = 0;
  std::int64_t leeway = 0;
  std::int64_t lifetime = 0;
  std::int64_t now = 0;
  std::string_view method, token, uri;
};

std::string sha256(std::string_view text) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  REQUIRE(EVP_Digest(text.data(), text.size(), hash, &size, EVP_sha256(), nullptr) == 1);
  return fuzz::encode_base64url({reinterpret_cast<const char *>(hash), size});
}

/// RFC 9449 leaves to a server how it makes nonces. Ours: eight bytes of the time and the HMAC of "DPoP-Nonce" with
/// them.
std::string make_nonce(std::int64_t time) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(time) >> shift & 0xFFU);
  }
  const std::string text = "DPoP-Nonce" + bytes;
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char *>(text.data()), text.size(), mac, &size);
  return fuzz::encode_base64url(bytes + std::string(reinterpret_cast<const char *>(mac), size));
}

// --- proofs that the target signs ---

struct Signer {
  EVP_PKEY *key;
  jose::KeyKind kind;
};

const Signer *find_signer(std::string_view name) {
  using jose::KeyKind;
  // Never freed: LeakSanitizer looks for the keys when the destructors have run.
  static const auto &signers = *new std::map<std::string_view, Signer>{
      {"p256", {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), KeyKind::p256}},
      {"p384", {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"), KeyKind::p384}},
      {"ed25519", {EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), KeyKind::ed25519}},
      {"rsa", {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}), KeyKind::rsa}},
      {"weak", {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{1024}), KeyKind::rsa}},
  };
  const auto found = signers.find(name);
  return found == signers.end() ? nullptr : &found->second;
}

std::string jwk_of(const Signer &signer) {
  fuzz::Memory memory;
  std::string_view jwk;
  REQUIRE(jose::make_public_jwk({signer.key, signer.kind}, *jose::find_signature_algorithm("ES256"), "k", memory, jwk));
  return std::string(jwk);
}

void replace(std::string &text, std::string_view from, const std::string &to) {
  const std::size_t at = text.find(from);
  if (at != std::string::npos) {
    text.replace(at, from.size(), to);
  }
}

/// Puts in what a person cannot write: `@jwk`, `@ath`, and `@nonce` with how many seconds old it is, such as
/// `@nonce:10`.
std::string filled(std::string_view written, const Settings &settings, const Signer &signer) {
  std::string text(written);
  replace(text, "@jwk", jwk_of(signer));
  replace(text, "@ath", sha256(settings.token));
  const std::size_t at = text.find("@nonce:");
  if (at != std::string::npos) {
    const std::string digits = text.substr(at + 7, text.find_first_not_of("0123456789", at + 7) - at - 7);
    replace(text, "@nonce:" + digits, make_nonce(settings.now - number(digits)));
  }
  return text;
}

/// @param how `sign`, a key and an algorithm.
std::string sign_proof(std::string_view how, fuzz::Input &input, const Settings &settings) {
  const std::vector<std::string_view> words = fuzz::split(how, ' ');
  const Signer *signer = words.size() == 3 ? find_signer(words[1]) : nullptr;
  const jose::SignatureAlgorithm *algorithm = signer == nullptr ? nullptr : jose::find_signature_algorithm(words[2]);
  if (algorithm == nullptr || !jose::fits(*algorithm, signer->kind)) {
    return std::string();
  }
  const std::string header = filled(input.line(), settings, *signer);
  const std::string text =
      fuzz::encode_base64url(header) + "." + fuzz::encode_base64url(filled(input.rest(), settings, *signer));
  std::string signature(jose::largest_signature, '\0');
  std::size_t size = 0;
  REQUIRE(jose::sign(*algorithm, *signer->key, text, signature.data(), size));
  return text + "." + fuzz::encode_base64url(signature.substr(0, size));
}

// --- the contract ---

bool is_key(const json_t *jwk) {
  const auto kty = fuzz::string_member(jwk, "kty");
  for (const char *name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (json_object_get(jwk, name) != nullptr) {
      return false;
    }
  }
  return json_is_object(jwk) && kty && (*kty == "EC" || *kty == "RSA" || *kty == "OKP");
}

bool header_holds(const fuzz::Jws &jws, const Settings &settings) {
  constexpr std::string_view supported[] = {"RS256", "RS384", "RS512", "PS256", "PS384",   "PS512",
                                            "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"};
  const json_t *header = jws.header.get();
  const std::string_view alg = fuzz::string_member(header, "alg").value_or("");
  const auto &allowed = settings.algorithms;
  return fuzz::has_typ(header, "dpop+jwt") && json_object_get(header, "crit") == nullptr &&
         std::find(std::begin(supported), std::end(supported), alg) != std::end(supported) &&
         std::find(allowed.begin(), allowed.end(), alg) != allowed.end() && is_key(json_object_get(header, "jwk"));
}

std::size_t characters_of(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    text.remove_prefix(std::min(size, text.size()));
    ++count;
  }
  return count;
}

std::optional<double> date(const json_t *value) {
  return json_is_real(value) ? std::optional(std::floor(json_real_value(value))) : std::nullopt;
}

bool times_hold(const json_t *claims, const Settings &settings) {
  const auto latest = static_cast<double>(settings.latest());
  const auto iat = date(fuzz::member(claims, "iat"));
  const json_t *exp = fuzz::member(claims, "exp");
  const json_t *nbf = fuzz::member(claims, "nbf");
  return iat && *iat <= latest && *iat >= static_cast<double>(settings.now - settings.max_age) &&
         (exp == nullptr || date(exp).value_or(-HUGE_VAL) > static_cast<double>(settings.now - settings.leeway)) &&
         (nbf == nullptr || date(nbf).value_or(HUGE_VAL) <= latest);
}

bool claims_hold(const json_t *claims, const Settings &settings) {
  const std::string_view jti = fuzz::string_member(claims, "jti").value_or("");
  const auto target = fuzz::normalize_uri(settings.uri);
  return !jti.empty() && characters_of(jti) <= 256 && !settings.method.empty() &&
         fuzz::string_member(claims, "htm") == settings.method && target &&
         fuzz::normalize_uri(fuzz::string_member(claims, "htu").value_or("")) == target &&
         times_hold(claims, settings) && fuzz::string_member(claims, "ath") == sha256(settings.token);
}

/// @return how old the nonce is; nothing where it is none of ours.
std::optional<std::int64_t> age_of_nonce(const json_t *claims, const Settings &settings) {
  const std::string_view nonce = fuzz::string_member(claims, "nonce").value_or("");
  const std::string bytes = fuzz::decode_base64url(nonce).value_or("");
  std::uint64_t time = 0;
  for (const char byte : bytes.substr(0, 8)) {
    time = time * 256 + static_cast<unsigned char>(byte);
  }
  const auto made = static_cast<std::int64_t>(time);
  return bytes.size() == 40 && nonce == make_nonce(made) ? std::optional(settings.now - made) : std::nullopt;
}

struct Expected {
  Outcome outcome = Outcome::dpop_proof;
  bool is_nonce_due = false;
};

Expected judge(std::string_view text, const fuzz::Jws &jws, const Settings &settings) {
  Expected expected;
  if (!jws.good || jws.compact != text || !header_holds(jws, settings) || !claims_hold(jws.claims.get(), settings)) {
    return expected;
  }
  if (settings.lifetime != 0) {
    const auto age = age_of_nonce(jws.claims.get(), settings);
    if (!age || *age >= settings.lifetime || *age < settings.now - settings.latest()) {
      expected.outcome = Outcome::dpop_nonce;
      return expected;
    }
    expected.is_nonce_due = *age > settings.lifetime / 2;
  }
  const json_t *header = jws.header.get();
  if (fuzz::verifies(json_object_get(header, "jwk"), *fuzz::string_member(header, "alg"), jws.compact)) {
    expected.outcome = Outcome::active;
  }
  return expected;
}

/// Whether both readers understand the dates alike; see t/fuzz/README.md.
bool has_clear_dates(std::string_view proof) {
  fuzz::Memory memory;
  jose::Jwt jwt;
  const char *problem = nullptr;
  if (!jose::parse_jwt(proof, memory, jwt, problem)) {
    return true;
  }
  for (const char *name : {"iat", "exp", "nbf"}) {
    const jose::JsonValue *claim = jwt.claims->member(name);
    if (fuzz::is_rounded(claim) || fuzz::underflows(claim)) {
      return false;
    }
  }
  return true;
}

/// RFC 7638 section 3.
std::string thumbprint_of(const json_t *jwk) {
  const std::string_view kty = *fuzz::string_member(jwk, "kty");
  json_t *required = json_object();
  for (const char *name : {"kty", "crv", "x", "y", "n", "e"}) {
    const bool is_required = kty == "RSA"  ? *name == 'k' || *name == 'n' || *name == 'e'
                             : kty == "EC" ? *name != 'n' && *name != 'e'
                                           : *name == 'k' || *name == 'c' || *name == 'x';
    if (is_required) {
      json_object_set(required, name, json_object_get(jwk, name));
    }
  }
  char *text = json_dumps(required, JSON_SORT_KEYS | JSON_COMPACT);
  const std::string thumbprint = sha256(text);
  std::free(text);
  json_decref(required);
  return thumbprint;
}

oauth::Verdict take_steps(const std::string &text, const Settings &settings, fuzz::Memory &memory,
                          oauth::DpopProof &proof) {
  const oauth::ProvenRequest request = {settings.method, settings.uri, settings.token, settings.now};
  oauth::Verdict verdict = oauth::read_dpop_proof(text, memory, proof);
  if (verdict.outcome == Outcome::active) {
    verdict = oauth::check_dpop_proof(proof, settings.requirements(), request, memory);
  }
  return verdict.outcome == Outcome::active ? oauth::verify_dpop_proof(proof, memory) : verdict;
}

void check(const std::string &text, const Settings &settings) {
  fuzz::Memory memory;
  oauth::DpopProof proof;
  const oauth::Verdict verdict = take_steps(text, settings, memory, proof);
  REQUIRE((verdict.outcome == Outcome::active) == (verdict.problem == nullptr));
  REQUIRE(ERR_peek_error() == 0);
  if (text.size() > oauth::largest_dpop_proof) {
    REQUIRE(verdict.outcome == Outcome::dpop_proof);
    return;
  }
  const fuzz::Jws jws = fuzz::read_jws(text);
  if (jws.open || !has_clear_dates(text)) {
    return;
  }
  const Expected expected = judge(text, jws, settings);
  ERR_clear_error();
  REQUIRE(verdict.outcome == expected.outcome);
  if (verdict.outcome == Outcome::active) {
    REQUIRE(proof.is_nonce_due == expected.is_nonce_due);
    REQUIRE(std::string_view(proof.thumbprint, sizeof(proof.thumbprint)) ==
            thumbprint_of(json_object_get(jws.header.get(), "jwk")));
    REQUIRE(proof.jti == fuzz::string_member(jws.claims.get(), "jti"));
    REQUIRE(static_cast<double>(proof.iat) == date(fuzz::member(jws.claims.get(), "iat")));
  }
}

}  // namespace

// The two lines of Settings; then a line `compact`, and a proof as it was sent; or a line such as `sign p256 ES256`, a
// line with a header and then the claims, which the target signs with a key of its own.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view line = input.line();
  const Settings settings(line, input.line());
  const std::string_view how = input.line();
  check(how == "compact" ? std::string(input.rest()) : sign_proof(how, input, settings), settings);
  return 0;
}
