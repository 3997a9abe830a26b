#include "signature.h"

#include <jansson.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

#include "digest.h"
#include "json_text.h"
#include "jwk.h"
#include "signature_algorithm.h"
#include "signed_text.h"

namespace jose {
namespace {

constexpr std::size_t most_verified = 1024;

struct Key {
  PublicKey key;
  json_t *json;  ///< the JWK, for its `kid` and `alg`
};

/// @return whether `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3) allow to verify signatures, where they are
///   there.
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

bool fits(const Key &key, const SignatureAlgorithm &algorithm) noexcept {
  const bool any_algorithm = json_object_get(key.json, "alg") == nullptr;
  return fits(algorithm, key.key.kind) && (any_algorithm || string_member(key.json, "alg") == name(algorithm));
}

bool is_named(const Key &key, const JsonValue *kid) noexcept {
  return kid == nullptr || (kid->kind == JsonKind::string && string_member(key.json, "kid") == kid->text);
}

}  // namespace

/// The keys, and the hashes of JWTs that they have verified. To verify a signature costs more than all else that is
/// done for a request, and a client sends the same JWT again and again.
struct KeySet {
  Key *keys = nullptr;
  std::size_t count = 0;
  char verified[most_verified][hex_digest_size] = {};
};

namespace {

/// @return the place of a JWT with this hash. It takes the place of another JWT that has the same one.
std::size_t place_of(const char *hash) noexcept {
  return std::hash<std::string_view>()({hash, hex_digest_size}) % most_verified;
}

void remember(KeySet &keys, std::string_view compact) noexcept {
  char hash[hex_digest_size];
  if (hex_digest({&compact, 1}, hash)) {
    std::memcpy(keys.verified[place_of(hash)], hash, hex_digest_size);
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
    PublicKey key;
    switch (is_for_verifying(jwk) ? import_public_key(jwk_members(jwk), key) : Import::other_kind) {
      case Import::good:
        result.keys->keys[result.keys->count++] = {key, json_incref(jwk)};
        break;
      case Import::other_kind:
        break;
      case Import::broken:
        result.ignored++;
        break;
      case Import::no_memory:
        return give_up(result.keys, "no memory for the JWK Set");
    }
  }
  return result.keys->count == 0 ? give_up(result.keys, "the JWK Set has no key that could verify a signature")
                                 : result;
}

VerificationResult verify_by_any(KeySet &keys, const SignatureAlgorithm &algorithm, const Jwt &jwt,
                                 const SignedText &text) noexcept {
  VerificationResult result = {Verification::unknown_key, "no key of the JWK Set fits its kid and alg"};
  const JsonValue *kid = jwt.header->member("kid");
  for (std::size_t i = 0; i < keys.count; i++) {
    const Key &key = keys.keys[i];
    if (!is_named(key, kid) || !fits(key, algorithm)) {
      continue;
    }
    switch (verify(algorithm, key.key, text.signed_part(), text.signature())) {
      case Match::good:
        remember(keys, jwt.compact);
        return {Verification::good, nullptr};
      case Match::no_memory:
        return {Verification::no_memory, "no memory to verify the signature"};
      case Match::bad:
        result = {Verification::bad, "its signature is wrong"};
        break;
    }
  }
  return result;
}

}  // namespace

KeySetResult parse_key_set(std::string_view json) noexcept {
  json_error_t error;
  json_t *root = json_loadb(json.data(), json.size(), JSON_REJECT_DUPLICATES, &error);
  const json_t *array = json_object_get(root, "keys");
  KeySetResult result;
  if (root == nullptr) {
    result.problem = "the JWK Set is not JSON, or has duplicate members";
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
    free_public_key(keys->keys[i].key);
    json_decref(keys->keys[i].json);
  }
  std::free(keys->keys);
  std::free(keys);
}

bool has_verified(const KeySet &keys, std::string_view compact) noexcept {
  char hash[hex_digest_size];
  return hex_digest({&compact, 1}, hash) && std::memcmp(keys.verified[place_of(hash)], hash, hex_digest_size) == 0;
}

VerificationResult verify_signature(KeySet &keys, const Jwt &jwt) noexcept {
  const SignatureAlgorithm *algorithm = find_signature_algorithm(jwt.header->member("alg")->text);
  if (algorithm == nullptr) {
    return {Verification::bad, "its alg is not supported"};
  }
  if (jwt.header->member_or_null("crit") != nullptr) {
    return {Verification::bad, "its header has crit, which is not supported"};
  }
  SignedText text;
  if (!text.read(jwt.compact) || !may_have_size(*algorithm, text.signature().size())) {
    return {Verification::bad, "its signature has the wrong size for its alg"};
  }
  return verify_by_any(keys, *algorithm, jwt, text);
}

}  // namespace jose
