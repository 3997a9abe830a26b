#include "signature.h"

#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <new>

#include "base64url.h"
#include "cache_key.h"
#include "strings.h"

namespace oauth {
namespace {

struct Algorithm {
  std::string_view name;
  cjose_jwk_kty_t kind;
  std::string_view curve;          ///< empty but for ES*
  std::size_t signature_size = 0;  ///< bytes (RFC 7518 section 3.4); 0 where it depends on the key
};

constexpr Algorithm algorithms[] = {
    {"RS256", CJOSE_JWK_KTY_RSA, ""},          {"RS384", CJOSE_JWK_KTY_RSA, ""},
    {"RS512", CJOSE_JWK_KTY_RSA, ""},          {"PS256", CJOSE_JWK_KTY_RSA, ""},
    {"PS384", CJOSE_JWK_KTY_RSA, ""},          {"PS512", CJOSE_JWK_KTY_RSA, ""},
    {"ES256", CJOSE_JWK_KTY_EC, "P-256", 64},  {"ES384", CJOSE_JWK_KTY_EC, "P-384", 96},
    {"ES512", CJOSE_JWK_KTY_EC, "P-521", 132},
};

/// RFC 7518 sections 3.3 and 3.5.
constexpr std::size_t smallest_rsa_key = 2048;

constexpr std::size_t most_verified = 1024;

struct Key {
  cjose_jwk_t *jwk;
  json_t *json;  ///< the JWK as it came, for `kid`, `alg` and `crv`
};

const Algorithm *find_algorithm(const Jwt &jwt) noexcept {
  const std::string_view name = jwt.header->member("alg")->text;
  for (const Algorithm &algorithm : algorithms) {
    if (algorithm.name == name) {
      return &algorithm;
    }
  }
  return nullptr;
}

std::string_view string_member(const json_t *object, const char *name) noexcept {
  const json_t *member = json_object_get(object, name);
  return json_is_string(member) ? std::string_view(json_string_value(member), json_string_length(member))
                                : std::string_view();
}

/// RFC 7517 sections 4.2 and 4.3: where a key says what it is for, it must be for signatures.
bool is_for_verifying(const json_t *jwk) noexcept {
  const json_t *use = json_object_get(jwk, "use");
  if (use != nullptr && string_member(jwk, "use") != "sig") {
    return false;
  }
  const json_t *operations = json_object_get(jwk, "key_ops");
  if (operations == nullptr) {
    return true;
  }
  for (std::size_t i = 0; i < json_array_size(operations); i++) {
    const json_t *operation = json_array_get(operations, i);
    if (json_is_string(operation) && std::strcmp(json_string_value(operation), "verify") == 0) {
      return true;
    }
  }
  return false;
}

bool is_of_known_kind(const json_t *jwk) noexcept {
  const std::string_view kind = string_member(jwk, "kty");
  return kind == "RSA" || kind == "EC";
}

/// With the exponent 1 anybody can sign, and with an even one nobody.
bool has_sound_exponent(const json_t *jwk) noexcept {
  const std::string_view encoded = string_member(jwk, "e");
  unsigned char bytes[8];
  const std::size_t size = base64url_decoded_size(encoded.size());
  if (size == 0 || size > sizeof(bytes) || !base64url_decode(encoded, reinterpret_cast<char *>(bytes))) {
    return false;
  }
  std::uint64_t exponent = 0;
  for (std::size_t i = 0; i < size; i++) {
    exponent = exponent << 8U | bytes[i];
  }
  return exponent >= 3 && exponent % 2 == 1;
}

bool is_strong_enough(const cjose_jwk_t *key, const json_t *jwk) noexcept {
  cjose_err error = {};
  return cjose_jwk_get_kty(key, &error) != CJOSE_JWK_KTY_RSA ||
         (cjose_jwk_get_keysize(key, &error) >= smallest_rsa_key && has_sound_exponent(jwk));
}

/// What the library decodes of a key must be base64url: it asserts so, and an assertion ends the worker process.
bool is_decodable(const json_t *jwk) noexcept {
  constexpr const char *encoded[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"};
  return std::all_of(std::begin(encoded), std::end(encoded),
                     [jwk](const char *name) noexcept { return base64url_decode(string_member(jwk, name), nullptr); });
}

/// Three libraries say in three ways, or not at all, that there was no memory; malloc, which all of them use, says it
/// here. Where it has, nothing else that they say is an answer.
class MemoryWatch {
 public:
  MemoryWatch() noexcept { errno = 0; }
  bool ran_out() const noexcept { return errno == ENOMEM; }
};

cjose_jwk_t *import_key(json_t *jwk) noexcept {
  if (!is_decodable(jwk)) {
    return nullptr;
  }
  cjose_err error = {};
  cjose_jwk_t *key = cjose_jwk_import_json(reinterpret_cast<cjose_header_t *>(jwk), &error);
  if (key != nullptr && !is_strong_enough(key, jwk)) {
    cjose_jwk_release(key);
    key = nullptr;
  }
  // What OpenSSL leaves behind, nginx would log against the next TLS connection.
  ERR_clear_error();
  return key;
}

/// The library accepts ECDSA signatures with zeros before their numbers, which would be a second form of the same
/// token.
bool has_right_size(const Jwt &jwt, const Algorithm &algorithm) noexcept {
  const std::string_view signature = jwt.compact.substr(jwt.compact.rfind('.') + 1);
  return algorithm.signature_size == 0 || base64url_decoded_size(signature.size()) == algorithm.signature_size;
}

bool fits(const Key &key, const Algorithm &algorithm) noexcept {
  cjose_err error = {};
  const bool any_algorithm = json_object_get(key.json, "alg") == nullptr;
  return cjose_jwk_get_kty(key.jwk, &error) == algorithm.kind &&
         (any_algorithm || string_member(key.json, "alg") == algorithm.name) &&
         (algorithm.curve.empty() || string_member(key.json, "crv") == algorithm.curve);
}

bool is_named(const Key &key, const JsonValue *kid) noexcept {
  return kid == nullptr || (kid->kind == JsonKind::string && string_member(key.json, "kid") == kid->text);
}

bool verifies(const Key &key, std::string_view compact) noexcept {
  cjose_err error = {};
  cjose_jws_t *jws = cjose_jws_import(compact.data(), compact.size(), &error);
  const bool good = jws != nullptr && cjose_jws_verify(jws, key.jwk, &error);
  cjose_jws_release(jws);
  ERR_clear_error();
  return good;
}

}  // namespace

/// To verify costs more than all else that is done for a request, and a JWT comes again with each: what has been
/// verified is remembered by its hash, as long as the set lives.
struct KeySet {
  Key *keys = nullptr;
  std::size_t count = 0;
  char verified[most_verified][cache_key_size] = {};
};

namespace {

/// @return where a JWT of this hash is remembered, in place of the last one that had the same place.
std::size_t place_of(const char *hash) noexcept {
  return std::hash<std::string_view>()({hash, cache_key_size}) % most_verified;
}

void remember(KeySet &keys, std::string_view compact) noexcept {
  char hash[cache_key_size];
  if (cache_key({&compact, 1}, hash)) {
    std::memcpy(keys.verified[place_of(hash)], hash, cache_key_size);
  }
}

KeySet *make_key_set(std::size_t capacity) noexcept {
  auto *set = static_cast<KeySet *>(std::malloc(sizeof(KeySet)));
  if (set == nullptr) {
    return nullptr;
  }
  new (set) KeySet();
  set->keys = static_cast<Key *>(std::calloc(capacity, sizeof(Key)));
  if (set->keys == nullptr) {
    std::free(set);
    return nullptr;
  }
  return set;
}

KeySetResult give_up(KeySet *keys, const char *problem) noexcept {
  free_key_set(keys);
  KeySetResult result;
  result.problem = problem;
  return result;
}

KeySetResult collect_keys(const json_t *array) noexcept {
  KeySetResult result;
  result.keys = make_key_set(json_array_size(array) + 1);
  if (result.keys == nullptr) {
    result.problem = "no memory for the JWK Set";
    return result;
  }
  for (std::size_t i = 0; i < json_array_size(array); i++) {
    json_t *jwk = json_array_get(array, i);
    if (!is_of_known_kind(jwk) || !is_for_verifying(jwk)) {
      continue;
    }
    const MemoryWatch memory;
    cjose_jwk_t *key = import_key(jwk);
    if (key == nullptr && memory.ran_out()) {
      return give_up(result.keys, "no memory for the JWK Set");
    }
    if (key == nullptr) {
      result.ignored++;
      continue;
    }
    result.keys->keys[result.keys->count++] = {key, json_incref(jwk)};
  }
  return result.keys->count == 0 ? give_up(result.keys, "the JWK Set has no key that could verify a signature")
                                 : result;
}

}  // namespace

KeySetResult parse_key_set(std::string_view json) noexcept {
  json_error_t error;
  json_t *root = json_loadb(json.data(), json.size(), JSON_REJECT_DUPLICATES, &error);
  const json_t *array = json_object_get(root, "keys");
  KeySetResult result;
  if (root == nullptr) {
    result.problem = "the JWK Set is no JSON, or has duplicate members";
  } else if (!json_is_array(array)) {
    result.problem = "the JWK Set has no array \"keys\"";
  } else {
    result = collect_keys(array);
  }
  json_decref(root);
  return result;
}

void free_key_set(KeySet *keys) noexcept {
  if (keys == nullptr) {
    return;
  }
  for (std::size_t i = 0; i < keys->count; i++) {
    cjose_jwk_release(keys->keys[i].jwk);
    json_decref(keys->keys[i].json);
  }
  std::free(keys->keys);
  std::free(keys);
}

bool has_verified(const KeySet &keys, std::string_view compact) noexcept {
  char hash[cache_key_size];
  return cache_key({&compact, 1}, hash) && std::memcmp(keys.verified[place_of(hash)], hash, cache_key_size) == 0;
}

VerificationResult verify_signature(KeySet &keys, const Jwt &jwt) noexcept {
  const Algorithm *algorithm = find_algorithm(jwt);
  if (algorithm == nullptr) {
    return {Verification::bad, "its alg is none that may sign access tokens"};
  }
  if (jwt.header->member("crit") != nullptr) {
    return {Verification::bad, "its header has crit, which asks for what is not understood"};
  }
  if (!has_right_size(jwt, *algorithm)) {
    return {Verification::bad, "its signature has not the size that its alg asks for"};
  }
  bool found = false;
  const JsonValue *kid = jwt.header->member("kid");
  for (std::size_t i = 0; i < keys.count; i++) {
    const Key &key = keys.keys[i];
    if (!is_named(key, kid) || !fits(key, *algorithm)) {
      continue;
    }
    found = true;
    const MemoryWatch memory;
    if (verifies(key, jwt.compact)) {
      remember(keys, jwt.compact);
      return {Verification::good, nullptr};
    }
    if (memory.ran_out()) {
      return {Verification::no_memory, "no memory to verify the signature"};
    }
  }
  if (!found) {
    return {Verification::unknown_key, "no key of the JWK Set fits its kid and alg"};
  }
  return {Verification::bad, "its signature is wrong"};
}

bool is_access_token_type(const Jwt &jwt) noexcept {
  const JsonValue *typ = jwt.header->member("typ");
  return typ == nullptr || has_type(jwt, "JWT") || has_type(jwt, "at+jwt");
}

}  // namespace oauth
