#include "jose/signature_algorithm.h"

#include <gtest/gtest.h>
#include <jansson.h>
#include <openssl/err.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "jose/base64url.h"
#include "jose/json_text.h"
#include "test_keys.h"

namespace jose {
namespace {

/// A key that frees itself; of a JWK that must be good.
class Key {
 public:
  explicit Key(const std::string &jwk) {
    json_t *json = json_loads(jwk.c_str(), 0, nullptr);
    EXPECT_EQ(import_public_key(jwk_members(json), key_), Import::good) << jwk;
    json_decref(json);
  }
  ~Key() { free_public_key(key_); }
  Key(const Key &) = delete;
  Key &operator=(const Key &) = delete;
  Key(Key &&) = delete;
  Key &operator=(Key &&) = delete;

  const PublicKey &operator*() const { return key_; }
  const PublicKey *operator->() const { return &key_; }

 private:
  PublicKey key_;
};

std::string decode(std::string_view text) {
  std::string bytes(base64url_decoded_size(text.size()), '\0');
  EXPECT_TRUE(base64url_decode(text, bytes.data()));
  return bytes;
}

Match verify(std::string_view algorithm, const Key &key, std::string_view signed_part, std::string_view signature) {
  const SignatureAlgorithm *found = find_signature_algorithm(algorithm);
  if (found == nullptr || !fits(*found, key->kind)) {
    ADD_FAILURE() << algorithm << " is not for this key";
    return Match::bad;
  }
  const Match match = jose::verify(*found, *key, signed_part, signature);
  EXPECT_EQ(ERR_peek_error(), 0U) << "nginx would log it against the next TLS connection";
  return match;
}

/// @param compact whose payload need be no JSON.
Match verify(const Key &key, std::string_view algorithm, const std::string &compact) {
  const std::size_t dot = compact.rfind('.');
  return verify(algorithm, key, compact.substr(0, dot), decode(compact.substr(dot + 1)));
}

TEST(SignatureAlgorithm, IsGoodAsInRfc7515AppendixA4) {
  const Key key(
      R"({"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"})");
  const std::string compact =
      "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-"
      "mZZqwqT2SI-KGDKB34XO0aw_"
      "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO"
      "_Jn";
  EXPECT_EQ(verify(key, "ES512", compact), Match::good);
  EXPECT_EQ(verify(key, "ES512", "x" + compact), Match::bad);
}

TEST(SignatureAlgorithm, IsGoodAsInRfc8037AppendixA4) {
  const Key key(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  const std::string compact =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
  EXPECT_EQ(verify(key, "EdDSA", compact), Match::good);
  EXPECT_EQ(verify(key, "Ed25519", compact), Match::good) << "RFC 9864: the same by another name";
  EXPECT_EQ(verify(key, "EdDSA", "x" + compact), Match::bad);
}

// RFC 8725 section 3.1: a name stands for keys of one kind, or of the two that RFC 8037 section 3.1 has.
TEST(SignatureAlgorithm, FitsKeysOfItsKind) {
  constexpr std::string_view names[] = {"rsa", "P-256", "P-384", "P-521", "Ed25519", "Ed448"};
  const std::map<std::string_view, std::string_view> kinds = {
      {"RS256", "rsa"},   {"RS384", "rsa"},           {"RS512", "rsa"},       {"PS256", "rsa"},
      {"PS384", "rsa"},   {"PS512", "rsa"},           {"ES256", "P-256"},     {"ES384", "P-384"},
      {"ES512", "P-521"}, {"EdDSA", "Ed25519 Ed448"}, {"Ed25519", "Ed25519"}, {"Ed448", "Ed448"}};
  for (const auto &[algorithm, allowed] : kinds) {
    const SignatureAlgorithm *found = find_signature_algorithm(algorithm);
    ASSERT_NE(found, nullptr) << algorithm;
    EXPECT_EQ(name(*found), algorithm);
    for (std::size_t kind = 0; kind < std::size(names); ++kind) {
      EXPECT_EQ(fits(*found, static_cast<KeyKind>(kind)), allowed.find(names[kind]) != std::string_view::npos)
          << algorithm << names[kind];
    }
  }
}

TEST(SignatureAlgorithm, IsKnownByItsExactName) {
  for (const std::string_view other : {"", "none", "HS256", "HS384", "HS512", "rs256", "RS256 ", "RS", "ES256K",
                                       "EdDSA ", "eddsa", "ED25519", "Ed449", "ESB256", "dir", "A128GCM"}) {
    EXPECT_EQ(find_signature_algorithm(other), nullptr) << other;
  }
}

std::string from_hex(const std::string &hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(SignatureAlgorithm, JudgesOddSignaturesAsWycheproofDoes) {
  std::ifstream file(PHANTOM_TOKEN_UNIT_TESTS "/signatures.txt");
  std::map<std::string, std::string> keys;
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first, name, expected, message, signature, kind;
    words >> first >> name >> expected >> message >> signature >> kind;
    if (first == "key") {
      keys[name] = expected;
    } else if (!first.empty() && first[0] != '#') {
      const Match match = verify(first, Key(keys.at(name)), from_hex(message), from_hex(signature));
      EXPECT_EQ(match, expected == "good" ? Match::good : Match::bad) << line;
      ++count;
    }
  }
  EXPECT_EQ(count, 411U) << "the table has been read";
}

// RFC 8037 section 2 and RFC 7518 section 6.2.1.2: a key has the size of its curve.

}  // namespace
}  // namespace jose
