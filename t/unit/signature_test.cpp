#include "jose/signature.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "test_jwt.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_rfc7517.h"

namespace jose {
namespace {

using std::literals::operator""s;
using std::literals::operator""sv;

struct FreeKeySet {
  void operator()(KeySet *keys) const noexcept { free_key_set(keys); }
};

using Keys = std::unique_ptr<KeySet, FreeKeySet>;

/// @return the keys of a set that is to be usable, with nothing to complain about.
Keys parse(const std::string &json, std::size_t ignored = 0) {
  const KeySetResult result = parse_key_set(json);
  EXPECT_NE(result.keys, nullptr) << json;
  EXPECT_EQ(result.problem, nullptr) << result.problem;
  EXPECT_EQ(result.ignored, ignored) << json;
  return Keys(result.keys);
}

/// @return why a set cannot be used.
std::string_view refuse(std::string_view json) {
  const KeySetResult result = parse_key_set(json);
  const Keys keys(result.keys);
  EXPECT_EQ(keys, nullptr) << json.substr(0, 200);
  EXPECT_EQ(ERR_peek_error(), 0U);
  return result.problem == nullptr ? "it is accepted" : result.problem;
}

constexpr std::string_view no_json = "the JWK Set is not JSON, or has duplicate members";
constexpr std::string_view no_array = "the JWK Set has no array \"keys\"";
constexpr std::string_view no_key = "the JWK Set has no key that could verify a signature";

/// @return good, bad, unknown_key or no_memory.
std::string_view verify(const Keys &keys, std::string_view text) {
  if (keys == nullptr) {
    return "there is no set";
  }
  TestMemory memory;
  Jwt jwt;
  const char *problem = nullptr;
  if (!parse_jwt(text, memory, jwt, problem)) {
    return problem;
  }
  const VerificationResult result = verify_signature(*keys, jwt);
  EXPECT_EQ(result.verification == Verification::good, result.problem == nullptr);
  EXPECT_EQ(result.verification == Verification::good, has_verified(*keys, jwt.compact));
  EXPECT_EQ(ERR_peek_error(), 0U) << "nginx would log it against the next TLS connection";
  switch (result.verification) {
    case Verification::good:
      return "good";
    case Verification::bad:
      return "bad";
    case Verification::unknown_key:
      return "unknown_key";
    case Verification::no_memory:
      return "no_memory";
  }
  return "none of the four";
}

// RSA keys take a while to make, so all tests share them.
const PrivateKey &rsa() {
  static const PrivateKey key = make_rsa_key(2048);
  return key;
}

const PrivateKey &other_rsa() {
  static const PrivateKey key = make_rsa_key(2048);
  return key;
}

const PrivateKey &p256() {
  static const PrivateKey key = make_ec_key("P-256");
  return key;
}

constexpr std::string_view rsa_algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"};

struct Curve {
  std::string_view algorithm;
  const char *name;
};

constexpr Curve curves[] = {{"ES256", "P-256"}, {"ES384", "P-384"}, {"ES512", "P-521"}};

std::string flip(std::string text, std::size_t at) {
  text[at] = text[at] == 'A' ? 'B' : 'A';
  return text;
}

/// @param text of a JWT whose signature is replaced.
std::string with_signature(std::string_view text, std::string_view signature) {
  return std::string(text.substr(0, text.rfind('.') + 1)) + base64url(signature);
}

std::string_view signed_part(std::string_view text) {
  return text.substr(0, text.rfind('.'));
}

TEST(Signature, IsGoodForEachAlgorithmOfRsa) {
  const Keys keys = parse(jwks({jwk_of_rsa(rsa())}));
  const Keys others = parse(jwks({jwk_of_rsa(other_rsa())}));
  for (const std::string_view algorithm : rsa_algorithms) {
    const std::string text = sign_jwt(rsa(), algorithm);
    EXPECT_EQ(verify(keys, text), "good") << algorithm;
    EXPECT_EQ(verify(others, text), "bad") << algorithm << " of another key";
  }
}

TEST(Signature, IsGoodForEachCurve) {
  for (const Curve &curve : curves) {
    const PrivateKey key = make_ec_key(curve.name);
    const Keys keys = parse(jwks({jwk_of_ec(key, curve.name)}));
    const Keys others = parse(jwks({jwk_of_ec(make_ec_key(curve.name), curve.name)}));
    // Again and again: each signature has new numbers, some of them with zeros in front.
    for (int i = 0; i < 50; ++i) {
      const std::string text = sign_jwt(key, curve.algorithm);
      EXPECT_EQ(verify(keys, text), "good") << curve.algorithm;
      EXPECT_EQ(verify(others, text), "bad") << curve.algorithm << " of another key";
    }
  }
}

TEST(Signature, IsGoodAsInRfc7515Appendices) {
  const Keys rs256 = parse(jwks(
      {R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})"}));
  const std::string claims =
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  const std::string a2 =
      "eyJhbGciOiJSUzI1NiJ9." + claims +
      ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
      "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
      "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
  EXPECT_EQ(verify(rs256, a2), "good");
  EXPECT_EQ(verify(rs256, flip(a2, a2.size() - 20)), "bad");
  EXPECT_NE(verify(rs256, flip(a2, 40)), "good");

  const Keys es256 = parse(jwks(
      {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"}));
  const std::string a3 = "eyJhbGciOiJFUzI1NiJ9." + claims +
                         ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  EXPECT_EQ(verify(es256, a3), "good");
  EXPECT_EQ(verify(es256, flip(a3, a3.size() - 20)), "bad");
}

TEST(Signature, IsRememberedForTheSetAndTheBytesThatVerified) {
  const Keys keys = parse(jwks({jwk_of_rsa(rsa())}));
  const Keys same = parse(jwks({jwk_of_rsa(rsa())}));
  const std::string text = sign_jwt(rsa(), "RS256");
  EXPECT_FALSE(has_verified(*keys, text)) << "not yet";
  EXPECT_EQ(verify(keys, text), "good");
  EXPECT_TRUE(has_verified(*keys, text));
  EXPECT_FALSE(has_verified(*same, text)) << "by another set";
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(has_verified(*keys, flip(text, at))) << at;
  }
  EXPECT_FALSE(has_verified(*keys, text + "A"));
  EXPECT_FALSE(has_verified(*keys, std::string_view(text).substr(1)));
  EXPECT_FALSE(has_verified(*keys, ""));
}

TEST(Signature, IsRememberedOfManyJwtsForSome) {
  constexpr int count = 1500;  // more than there are places
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back(sign_jwt(p256(), "ES256", R"(,"i":)" + std::to_string(i)));
    EXPECT_EQ(verify(keys, texts.back()), "good");
  }
  const auto remembered =
      std::count_if(texts.begin(), texts.end(), [&keys](const std::string &text) { return has_verified(*keys, text); });
  EXPECT_GT(remembered, count / 3);
  EXPECT_LT(remembered, count);
  EXPECT_TRUE(has_verified(*keys, texts.back())) << "the last always";
  EXPECT_EQ(verify(keys, texts.front()), "good") << "what is forgotten is verified anew";
}

TEST(Signature, IsBadWhereAnyPartWasChanged) {
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  const std::string text =
      sign_jwt(p256(), signing_of("ES256"), R"({"alg":"ES256","typ":"at+jwt"})", R"({"sub":"alice","scope":"read"})");
  ASSERT_EQ(verify(keys, text), "good");
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '.') {
      EXPECT_NE(verify(keys, flip(text, at)), "good") << "changed at " << at;
    }
  }
}

TEST(Signature, IsBadWhereItIsCutOrLengthened) {
  const Keys ec = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  const Keys both = parse(jwks({jwk_of_rsa(rsa())}));
  for (const std::string_view algorithm : {"ES256", "RS256", "PS256"}) {
    const bool is_ec = algorithm == "ES256";
    const Keys &keys = is_ec ? ec : both;
    const std::string text = sign_jwt(is_ec ? p256() : rsa(), algorithm);
    const std::string signature = sign(is_ec ? p256() : rsa(), signing_of(algorithm), signed_part(text));
    ASSERT_EQ(verify(keys, with_signature(text, signature)), "good");
    for (std::size_t size = 1; size < signature.size(); ++size) {
      EXPECT_EQ(verify(keys, with_signature(text, signature.substr(0, size))), "bad")
          << algorithm << " cut to " << size;
      EXPECT_EQ(verify(keys, with_signature(text, signature.substr(size))), "bad") << algorithm << " from " << size;
    }
    for (const std::string_view more : {"\0"sv, "\0\0"sv, "x"sv, "xx"sv}) {
      EXPECT_EQ(verify(keys, with_signature(text, signature + std::string(more))), "bad") << algorithm;
      EXPECT_EQ(verify(keys, with_signature(text, std::string(more) + signature)), "bad") << algorithm;
    }
    EXPECT_EQ(verify(keys, with_signature(text, signature + signature)), "bad") << algorithm << " twice";
    EXPECT_EQ(verify(keys, with_signature(text, std::string(100000, 'x'))), "bad") << algorithm << " 100 KB";
    EXPECT_EQ(verify(keys, with_signature(text, std::string(signature.size(), '\0'))), "bad") << algorithm << " zeros";
    EXPECT_EQ(verify(keys, with_signature(text, std::string(signature.size(), '\xFF'))), "bad") << algorithm << " ones";
  }
}

// RFC 8017 section 8.1.2: as long as the modulus. One in 256 begins with a zero, which OpenSSL would not miss.
TEST(Signature, OfRsaIsBadWithoutItsLeadingZero) {
  const Keys keys = parse(jwks({jwk_of_rsa(rsa())}));
  const std::string text = sign_jwt(rsa(), "PS256");
  std::string signature;
  do {
    signature = sign(rsa(), signing_of("PS256"), signed_part(text));
  } while (signature.front() != '\0');
  EXPECT_EQ(verify(keys, with_signature(text, signature)), "good");
  EXPECT_EQ(verify(keys, with_signature(text, signature.substr(1))), "bad");
}

// RFC 7518 section 3.4: both numbers have the size of the curve. DER, or another size for the same numbers, is none.
TEST(Signature, OfAnEcKeyHasOneForm) {
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  const std::string text = sign_jwt(p256(), "ES256");
  const std::string signature = sign(p256(), signing_of("ES256"), signed_part(text));
  ASSERT_EQ(verify(keys, with_signature(text, signature)), "good");
  const std::string r = signature.substr(0, 32);
  const std::string s = signature.substr(32);
  for (const std::size_t zeros : {1, 2, 32}) {
    const std::string padding(zeros, '\0');
    EXPECT_EQ(verify(keys, with_signature(text, padding + r + padding + s)), "bad") << zeros << " zeros before each";
  }
  EXPECT_EQ(verify(keys, with_signature(text, std::string(32, '\0') + s)), "bad") << "r = 0";
  EXPECT_EQ(verify(keys, with_signature(text, r + std::string(32, '\0'))), "bad") << "s = 0";
  EXPECT_EQ(verify(keys, with_signature(text, std::string(31, '\0') + "\1" + std::string(31, '\0') + "\1")), "bad");
}

TEST(Signature, WithAnotherDigestOrPaddingThanTheHeaderSaysIsBad) {
  const Keys keys = parse(jwks({jwk_of_rsa(rsa())}));
  for (const std::string_view said : rsa_algorithms) {
    const std::string header = R"({"alg":")" + std::string(said) + R"("})";
    for (const std::string_view done : rsa_algorithms) {
      EXPECT_EQ(verify(keys, sign_jwt(rsa(), signing_of(done), header)), said == done ? "good" : "bad") << said << done;
    }
  }
}

// RFC 7518 section 3.5: the salt is as long as the hash.
TEST(Signature, WithPssHasASaltAsLongAsTheHash) {
  const Keys keys = parse(jwks({jwk_of_rsa(rsa())}));
  for (const int salt : {0, 20, 31, 33, 64}) {
    Signing signing = signing_of("PS256");
    signing.salt_length = salt;
    EXPECT_EQ(verify(keys, sign_jwt(rsa(), signing, R"({"alg":"PS256"})")), "bad") << salt;
  }
}

// --- alg, which must fit the key (RFC 8725 sections 3.1 and 3.2) ---

TEST(Signature, ByAnAlgorithmOfAnotherKindOfKeyIsRefused) {
  const Keys rsa_keys = parse(jwks({jwk_of_rsa(rsa())}));
  const Keys ec_keys = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  const std::string by_ec = sign_jwt(p256(), "ES256");
  EXPECT_EQ(verify(rsa_keys, by_ec), "unknown_key");
  for (const std::string_view algorithm : rsa_algorithms) {
    EXPECT_EQ(verify(ec_keys, sign_jwt(rsa(), algorithm)), "unknown_key") << algorithm;
    EXPECT_EQ(verify(ec_keys, sign_jwt(p256(), signing_of("ES256"), R"({"alg":")" + std::string(algorithm) + R"("})")),
              "unknown_key")
        << algorithm;
  }
  // The curve belongs to the algorithm.
  for (const std::string_view algorithm : {"ES384", "ES512"}) {
    EXPECT_NE(verify(ec_keys, sign_jwt(p256(), algorithm)), "good") << algorithm;
  }
  // Also where the numbers are as long as its own would be.
  const std::string text = base64url(R"({"alg":"ES384"})") + "." + base64url("{}");
  const std::string numbers = sign(p256(), signing_of("ES384"), text);
  const std::string padding(16, '\0');
  EXPECT_NE(verify(ec_keys, text + "." + base64url(padding + numbers.substr(0, 32) + padding + numbers.substr(32))),
            "good");
  const PrivateKey p384 = make_ec_key("P-384");
  const Keys p384_keys = parse(jwks({jwk_of_ec(p384, "P-384")}));
  EXPECT_NE(verify(p384_keys, sign_jwt(p384, "ES256")), "good");
  EXPECT_EQ(verify(p384_keys, sign_jwt(p384, "ES384")), "good");
}

TEST(Signature, KeepsToTheAlgOfTheKey) {
  for (const std::string_view of_key : rsa_algorithms) {
    const Keys keys = parse(jwks({jwk_of_rsa(rsa(), R"(,"alg":")" + std::string(of_key) + "\"")}));
    for (const std::string_view algorithm : rsa_algorithms) {
      EXPECT_EQ(verify(keys, sign_jwt(rsa(), algorithm)), algorithm == of_key ? "good" : "unknown_key")
          << of_key << algorithm;
    }
  }
  for (const std::string_view of_key :
       {R"("RSA-OAEP")"sv, R"("HS256")"sv, R"("none")"sv, R"("rs256")"sv, R"("ES256")"sv, R"("RS256 ")"sv, R"("")"sv,
        "null"sv, "256"sv, R"(["RS256"])"sv, R"({"RS256":1})"sv}) {
    const KeySetResult result = parse_key_set(jwks({jwk_of_rsa(rsa(), R"(,"alg":)" + std::string(of_key))}));
    const Keys keys(result.keys);
    if (keys != nullptr) {
      EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256")), "unknown_key") << of_key;
    }
  }
}

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char *>(text.data()),
       text.size(), hash, &size);
  return {reinterpret_cast<const char *>(hash), size};
}

std::string public_pem(const PrivateKey &key) {
  BIO *memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(memory, key.get());
  char *bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  std::string pem(bytes, static_cast<std::size_t>(size));
  BIO_free(memory);
  return pem;
}

TEST(Signature, ByHmacIsRefusedWhateverTheSecret) {
  const std::string secret = "0123456789abcdef0123456789abcdef";
  const std::string jwk = jwk_of_rsa(rsa());
  const std::string oct = R"({"kty":"oct","kid":"o","k":")" + base64url(secret) + R"("})";
  const Keys keys = parse(jwks({jwk, oct}));
  const std::string pem = public_pem(rsa());
  for (const std::string_view header : {R"({"alg":"HS256"})", R"({"alg":"HS256","kid":"o"})", R"({"alg":"hs256"})"}) {
    const std::string text = base64url(header) + "." + base64url("{}") + ".";
    for (const std::string &key : {secret, pem, pem.substr(0, pem.size() - 1), jwk, std::string(), jwks({jwk, oct}),
                                   number_of(rsa(), OSSL_PKEY_PARAM_RSA_N)}) {
      EXPECT_EQ(verify(keys, text + base64url(hmac(key, text.substr(0, text.size() - 1)))), "bad") << header << key;
    }
  }
  for (const std::string_view algorithm : {"HS384", "HS512"}) {
    EXPECT_EQ(verify(keys, make_jwt(R"({"alg":")" + std::string(algorithm) + R"("})", "{}")), "bad");
  }
  EXPECT_EQ(refuse(jwks({oct})), no_key);
}

TEST(Signature, ByNoneOrAnUnknownAlgorithmIsRefused) {
  const Keys keys = parse(jwks({jwk_of_rsa(rsa()), jwk_of_ec(p256(), "P-256")}));
  for (const std::string_view algorithm : {"none", "NONE", "nOnE"}) {
    const std::string header = R"({"alg":")" + std::string(algorithm) + R"("})";
    EXPECT_EQ(verify(keys, make_jwt(header, "{}")), "the JWT is not signed");
    EXPECT_EQ(verify(keys, sign_jwt(rsa(), signing_of("RS256"), header)), "the JWT is not signed");
  }
  EXPECT_EQ(verify(keys, base64url(R"({"alg":"RS256"})") + "." + base64url("{}") + "."), "the JWT is not signed");
  for (const std::string_view algorithm :
       {"rs256", "RS256 ", " RS256", "RS", "RS2", "RS257", "RS1", "RS256,none", "ES256K", "RS256\\u0000", "eddsa",
        "ED25519", "dir", "A128GCM", "RSA-OAEP"}) {
    const std::string header = R"({"alg":")" + std::string(algorithm) + R"("})";
    EXPECT_EQ(verify(keys, sign_jwt(rsa(), signing_of("RS256"), header)), "bad") << algorithm;
  }
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), signing_of("RS256"), R"({"\u0061lg":"RS\u003256"})")), "good") << "escapes";
}

// RFC 8037 section 3.1, and the names of RFC 9864 section 2.2.
TEST(Signature, ByEddsaIsGoodForTheCurveOfTheKey) {
  const struct {
    const char *type;
    std::string_view curve;
    std::string_view other;
  } curves_of_eddsa[] = {{"ED25519", "Ed25519", "Ed448"}, {"ED448", "Ed448", "Ed25519"}};
  for (const auto &curve : curves_of_eddsa) {
    const PrivateKey key = make_edwards_key(curve.type);
    const Keys keys = parse(jwks({jwk_of_edwards(key, curve.curve, R"(,"kid":"ed")"), jwk_of_rsa(rsa())}));
    const auto signed_as = [&](std::string_view algorithm) {
      const std::string header = R"({"kid":"ed","alg":")" + std::string(algorithm) + R"("})";
      return verify(keys, sign_jwt(key, signing_of("EdDSA"), header));
    };
    EXPECT_EQ(signed_as("EdDSA"), "good") << curve.curve;
    EXPECT_EQ(signed_as(curve.curve), "good") << curve.curve;
    EXPECT_NE(signed_as(curve.other), "good") << curve.curve;
    EXPECT_NE(signed_as("ES256"), "good") << curve.curve;
    EXPECT_NE(signed_as("RS256"), "good") << curve.curve;

    const std::string text = sign_jwt(key, signing_of("EdDSA"), R"({"kid":"ed","alg":"EdDSA"})");
    for (const std::size_t from_end : {1U, 20U, 60U}) {
      EXPECT_NE(verify(keys, flip(text, text.size() - from_end)), "good") << curve.curve;
    }
    EXPECT_NE(verify(keys, text + "AA"), "good") << curve.curve;
    EXPECT_NE(verify(keys, text.substr(0, text.size() - 2)), "good") << curve.curve;

    const Keys only_eddsa = parse(jwks({jwk_of_edwards(key, curve.curve, R"(,"alg":"EdDSA")")}));
    const std::string header = R"({"alg":")" + std::string(curve.curve) + R"("})";
    EXPECT_EQ(verify(only_eddsa, sign_jwt(key, signing_of("EdDSA"), header)), "unknown_key") << "the alg of the key";
  }
}

TEST(Signature, OnSecp256k1IsRefused) {
  const PrivateKey key = make_ec_key("secp256k1");
  for (const std::string_view curve : {"secp256k1", "P-256"}) {
    const KeySetResult result = parse_key_set(jwks({jwk_of_ec(key, curve), jwk_of_rsa(rsa())}));
    const Keys keys(result.keys);
    ASSERT_NE(keys, nullptr);
    for (const std::string_view algorithm : {"ES256", "ES256K"}) {
      EXPECT_NE(verify(keys, sign_jwt(key, signing_of("ES256"), R"({"alg":")" + std::string(algorithm) + R"("})")),
                "good");
    }
  }
}

// --- header parameters ---

TEST(Signature, WithAnyCritIsRefused) {
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  for (const std::string_view crit :
       {R"(,"crit":["exp"],"exp":1)"sv, R"(,"crit":["b64"],"b64":false)"sv, R"(,"crit":[])"sv, R"(,"crit":null)"sv,
        R"(,"crit":"")"sv, R"(,"cr\u0069t":["x"],"x":1)"sv, R"(,"crit":["alg"])"sv}) {
    EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", crit)), "bad") << crit;
  }
  EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", R"(,"CRIT":["x"])")), "good");
}

TEST(Signature, NeverUsesAKeyThatTheHeaderBrings) {
  const PrivateKey evil = make_ec_key("P-256");
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256", R"(,"kid":"1")")}));
  const std::string jwk = jwk_of_ec(evil, "P-256", R"(,"kid":"1")");
  for (const std::string &more :
       {R"(,"kid":"1","jwk":)" + jwk, R"(,"jwk":)" + jwk, std::string(R"(,"kid":"1","jku":"http://127.0.0.1/jwks")"),
        std::string(R"(,"kid":"1","x5c":["MIIB"],"x5u":"http://127.0.0.1/x")")}) {
    EXPECT_EQ(verify(keys, sign_jwt(evil, "ES256", more)), "bad") << more;
    EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", more)), "good") << more;
  }
}

TEST(Signature, GoesByKid) {
  const std::string one = jwk_of_ec(p256(), "P-256", R"(,"kid":"one")");
  const PrivateKey second = make_ec_key("P-256");
  const std::string two = jwk_of_ec(second, "P-256", R"(,"kid":"two")");
  const Keys keys = parse(jwks({one, two}));
  const struct {
    std::string_view more;
    std::string_view by_one;
    std::string_view by_two;
  } cases[] = {
      {R"(,"kid":"one")", "good", "bad"},
      {R"(,"kid":"two")", "bad", "good"},
      {R"(,"kid":"\u006fne")", "good", "bad"},
      {"", "good", "good"},  // no kid: any key may fit
      {R"(,"kid":null)", "good", "good"},
      {R"(,"kid":"")", "unknown_key", "unknown_key"},
      {R"(,"kid":"On\u0065")", "unknown_key", "unknown_key"},
      {R"(,"kid":"one\u0000")", "unknown_key", "unknown_key"},
      {R"(,"kid":"on")", "unknown_key", "unknown_key"},
      {R"(,"kid":1)", "unknown_key", "unknown_key"},
      {R"(,"kid":["one"])", "unknown_key", "unknown_key"},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", test.more)), test.by_one) << test.more;
    EXPECT_EQ(verify(keys, sign_jwt(second, "ES256", test.more)), test.by_two) << test.more;
  }
}

TEST(Signature, TriesEachKeyOfADuplicateKid) {
  const PrivateKey second = make_ec_key("P-256");
  const PrivateKey third = make_ec_key("P-256");
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256", R"(,"kid":"same")"), jwk_of_rsa(rsa(), R"(,"kid":"same")"),
                                jwk_of_ec(second, "P-256", R"(,"kid":"same")")}));
  EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", R"(,"kid":"same")")), "good");
  EXPECT_EQ(verify(keys, sign_jwt(second, "ES256", R"(,"kid":"same")")), "good");
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256", R"(,"kid":"same")")), "good");
  EXPECT_EQ(verify(keys, sign_jwt(third, "ES256", R"(,"kid":"same")")), "bad");
}

TEST(Signature, OfAKeyWithoutKidOnlyWhereTheHeaderHasNone) {
  const Keys keys = parse(jwks({jwk_of_ec(p256(), "P-256")}));
  EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256")), "good");
  EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", R"(,"kid":"1")")), "unknown_key");
  const Keys odd = parse(jwks({jwk_of_ec(p256(), "P-256", R"(,"kid":1)")}));
  EXPECT_EQ(verify(odd, sign_jwt(p256(), "ES256", R"(,"kid":"1")")), "unknown_key");
  EXPECT_EQ(verify(odd, sign_jwt(p256(), "ES256", R"(,"kid":1)")), "unknown_key");
}

// --- the JWK Set ---

TEST(KeySet, LeavesOutKeysThatAreNotForVerifying) {
  const std::string text = sign_jwt(p256(), "ES256", R"(,"kid":"k")");
  const std::string other = jwk_of_rsa(rsa());
  const struct {
    std::string_view more;
    std::string_view word;
  } cases[] = {
      {"", "good"},
      {R"(,"use":"sig")", "good"},
      {R"(,"use":"enc")", "unknown_key"},
      {R"(,"use":"SIG")", "unknown_key"},
      {R"(,"use":"")", "unknown_key"},
      {R"(,"use":null)", "unknown_key"},
      {R"(,"use":["sig"])", "unknown_key"},
      {R"(,"key_ops":["verify"])", "good"},
      {R"(,"key_ops":["sign","verify"])", "good"},
      {R"(,"key_ops":[1,null,"verify"])", "good"},
      {R"(,"key_ops":["sign"])", "unknown_key"},
      {R"(,"key_ops":["encrypt","wrapKey"])", "unknown_key"},
      {R"(,"key_ops":[])", "unknown_key"},
      {R"(,"key_ops":"verify")", "unknown_key"},
      {R"(,"key_ops":null)", "unknown_key"},
      {R"(,"key_ops":["verif"])", "unknown_key"},
      {R"(,"use":"sig","key_ops":["verify"])", "good"},
      {R"(,"use":"enc","key_ops":["verify"])", "unknown_key"},
      {R"(,"use":"sig","key_ops":["decrypt"])", "unknown_key"},
  };
  for (const auto &test : cases) {
    const std::string jwk = jwk_of_ec(p256(), "P-256", R"(,"kid":"k")" + std::string(test.more));
    EXPECT_EQ(verify(parse(jwks({other, jwk})), text), test.word) << test.more;
    if (test.word != "good") {
      EXPECT_EQ(refuse(jwks({jwk})), no_key) << test.more;
    }
  }
}

// RFC 7518 section 3.3: 2048 bits or more.
TEST(KeySet, LeavesOutWeakRsaKeys) {
  const std::string good = jwk_of_ec(p256(), "P-256");
  for (const unsigned bits : {512U, 1024U, 1536U, 2040U}) {
    const PrivateKey weak = make_rsa_key(bits);
    const std::string jwk = jwk_of_rsa(weak, R"(,"kid":"weak")");
    EXPECT_EQ(refuse(jwks({jwk})), no_key) << bits;
    const Keys keys = parse(jwks({good, jwk}), 1);
    EXPECT_EQ(verify(keys, sign_jwt(weak, "RS256", R"(,"kid":"weak")")), "unknown_key") << bits;
    EXPECT_EQ(verify(keys, sign_jwt(weak, "RS256")), "unknown_key") << bits;
  }
}

TEST(KeySet, HasRsaKeysWithOtherExponentsAndSizes) {
  const PrivateKey large = make_rsa_key(3072);
  EXPECT_EQ(verify(parse(jwks({jwk_of_rsa(large)})), sign_jwt(large, "RS256")), "good");
  EXPECT_EQ(verify(parse(jwks({jwk_of_rsa(large)})), sign_jwt(large, "PS512")), "good");
}

// With an exponent of 1, whatever is padded well is its own signature.
TEST(KeySet, LeavesOutRsaKeysThatAnybodyCouldSignFor) {
  const std::string n = base64url(number_of(rsa(), OSSL_PKEY_PARAM_RSA_N));
  const std::string good = jwk_of_ec(p256(), "P-256");
  const std::string text = base64url(R"({"alg":"RS256"})") + "." + base64url("{}");
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), hash, &size, EVP_sha256(), nullptr);
  const std::string info = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"s;
  const std::string digest = info + std::string(reinterpret_cast<char *>(hash), size);
  const std::string padded = "\0\1"s + std::string(256 - 3 - digest.size(), '\xFF') + "\0"s + digest;
  for (const std::string_view e : {"\1"sv, "\0"sv, "\0\0\1"sv, "\2"sv}) {
    const KeySetResult result =
        parse_key_set(jwks({good, R"({"kty":"RSA","n":")" + n + R"(","e":")" + base64url(e) + R"("})"}));
    const Keys keys(result.keys);
    ASSERT_NE(keys, nullptr);
    EXPECT_NE(verify(keys, text + "." + base64url(padded)), "good") << "exponent " << static_cast<int>(e.back());
  }
}

std::string padded_within(std::string text) {
  text[text.size() - 22] = '=';
  return text;
}

TEST(KeySet, LeavesOutBrokenKeys) {
  const std::string good = jwk_of_ec(p256(), "P-256");
  const std::string n = base64url(number_of(rsa(), OSSL_PKEY_PARAM_RSA_N));
  const std::string x = base64url(number_of(p256(), OSSL_PKEY_PARAM_EC_PUB_X, 32));
  const std::string y = base64url(number_of(p256(), OSSL_PKEY_PARAM_EC_PUB_Y, 32));
  const auto rsa_key = [](std::string_view modulus, std::string_view exponent) {
    return R"({"kty":"RSA","n":)" + std::string(modulus) + R"(,"e":)" + std::string(exponent) + "}";
  };
  const auto ec_key = [](std::string_view curve, std::string_view one, std::string_view other) {
    return R"({"kty":"EC","crv":)" + std::string(curve) + R"(,"x":")" + std::string(one) + R"(","y":")" +
           std::string(other) + R"("})";
  };
  const std::string broken[] = {
      R"({"kty":"RSA"})",
      R"({"kty":"RSA","n":")" + n + R"("})",
      R"({"kty":"RSA","e":"AQAB"})",
      rsa_key("\"" + n + "\"", "\"\""),
      rsa_key("\"\"", "\"AQAB\""),
      rsa_key("1", "\"AQAB\""),
      rsa_key("null", "\"AQAB\""),
      rsa_key("\"" + n + "\"", "65537"),
      rsa_key("\"???\"", "\"AQAB\""),
      rsa_key("\"" + padded_within(n) + "\"", "\"AQAB\""),  // a library that asserted so once ended the worker
      ec_key("\"P-256\"", padded_within(x), y),
      ec_key("\"P-256\"", x, padded_within(y)),
      R"({"kty":"EC"})",
      R"({"kty":"EC","crv":"P-256"})",
      R"({"kty":"EC","crv":"P-256","x":")" + x + R"("})",
      ec_key("\"P-256\"", y, x),  // not on the curve
      ec_key("\"P-256\"", x, ""),
      ec_key("\"P-256\"", "AA", "AA"),
      ec_key("\"P-384\"", x, y),
      ec_key("\"P-257\"", x, y),
      ec_key("null", x, y),
      ec_key("\"\"", x, y),
  };
  for (const std::string &key : broken) {
    EXPECT_EQ(refuse(jwks({key})), no_key) << key;
    const Keys keys = parse(jwks({key, good}), 1);
    EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256")), "good") << key;
  }
  for (const std::string_view other : {"{}"sv, "null"sv, "1"sv, R"("x")"sv, "[]"sv, "[[]]"sv, R"({"kty":null})"sv,
                                       R"({"kty":1})"sv, R"({"kty":"rsa"})"sv, R"({"kty":"oct","k":"AAAA"})"sv,
                                       R"({"kty":"OKP","crv":"X25519","x":"AAAA"})"sv, R"({"kty":"unheard-of"})"sv}) {
    EXPECT_EQ(refuse(jwks({std::string(other)})), no_key) << other;
    EXPECT_EQ(verify(parse(jwks({std::string(other), good})), sign_jwt(p256(), "ES256")), "good") << other;
  }
}

TEST(KeySet, IsRefusedWhereItIsNoSet) {
  const std::string good = jwk_of_ec(p256(), "P-256", R"(,"kid":"k")");
  for (const std::string &text :
       {std::string(), std::string(" "), std::string("{"), std::string("<html>"), std::string("{}x"),
        jwks({good}) + "x", jwks({good}) + jwks({good}), jwks({good}).substr(0, 60), "\xEF\xBB\xBF" + jwks({good}),
        std::string("{\"keys\":[]},"), std::string("{\"keys\":[\"\xFF\"]}"), std::string("{\"keys\":[],}"),
        jwks({good}) + std::string("\0", 1), "{\"a\\u0000b\":1,\"keys\":[" + good + "]}", std::string(200000, '['),
        R"({"keys":)" + std::string(200000, '['), std::string("{'keys':[]}")}) {
    EXPECT_EQ(refuse(text), no_json) << text.substr(0, 100);
  }
  for (const std::string &text :
       {std::string("{}"), std::string("[]"), "[" + good + "]", std::string(R"({"keys":{}})"),
        std::string(R"({"keys":null})"), std::string(R"({"keys":"x"})"), R"({"keys":)" + good + "}",
        R"({"Keys":[)" + good + "]}", good, R"({"a":{"keys":[)" + good + "]}}"}) {
    EXPECT_EQ(refuse(text), no_array) << text;
  }
  EXPECT_EQ(refuse(R"({"keys":[]})"), no_key);
  EXPECT_EQ(refuse(std::string_view()), no_json);
}

// jansson would take the last of two, the module's own reader knows none: nobody is to guess.
TEST(KeySet, WithDuplicateMembersIsRefused) {
  const std::string good = jwk_of_ec(p256(), "P-256", R"(,"kid":"k")");
  const std::string twice_kid = jwk_of_ec(p256(), "P-256", R"(,"kid":"k","kid":"l")");
  const std::string escaped = jwk_of_ec(p256(), "P-256", R"(,"kid":"k","k\u0069d":"l")");
  const std::string deep = jwk_of_ec(p256(), "P-256", R"(,"x":{"a":1,"a":2})");
  for (const std::string &text :
       {R"({"keys":[],"keys":[)" + good + "]}", R"({"keys":[)" + good + R"(],"ke\u0079s":[]})", jwks({twice_kid}),
        jwks({escaped}), jwks({good, twice_kid}), jwks({deep}), R"({"a":1,"a":1,"keys":[)" + good + "]}"}) {
    EXPECT_EQ(refuse(text), no_json) << text;
  }
}

TEST(KeySet, HasWhatMoreTheServerLikesToSay) {
  const std::string more =
      R"(,"kid":"k","x5c":["MIIB"],"x5t":"AA","x5t#S256":"BB","exp":1,"nbf":99999999999,"a":{"b":[]})";
  const Keys keys = parse(R"( {"a":1, "keys" : [ )" + jwk_of_ec(p256(), "P-256", more) + " ] , \"z\":[{}]}\n");
  EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256", R"(,"kid":"k")")), "good");
}

TEST(KeySet, WithThousandsOfKeysIsAsGood) {
  std::vector<std::string> many;
  for (int i = 0; i < 3000; ++i) {
    many.push_back(jwk_of_rsa(other_rsa(), R"(,"kid":")" + std::to_string(i) + "\""));
  }
  many.push_back(jwk_of_rsa(rsa(), R"(,"kid":"last")"));
  const Keys keys = parse(jwks(many));
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256", R"(,"kid":"last")")), "good");
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256", R"(,"kid":"2999")")), "bad");
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256", R"(,"kid":"3000")")), "unknown_key");
}

TEST(KeySet, WithAHugeNumberInAKeyNeitherHangsNorFits) {
  const std::string good = jwk_of_ec(p256(), "P-256");
  const std::string huge = base64url(std::string(40000, '\xFF'));
  const std::string text = make_jwt(R"({"alg":"RS256"})", "{}", base64url(std::string(40000, 'x')));
  for (const std::string &key :
       {R"({"kty":"RSA","e":"AQAB","n":")" + huge + R"("})",
        R"({"kty":"RSA","e":")" + huge + R"(","n":")" + huge + R"("})",
        R"({"kty":"RSA","e":")" + huge + R"(","n":")" + base64url(number_of(rsa(), OSSL_PKEY_PARAM_RSA_N)) + R"("})",
        R"({"kty":"EC","crv":"P-256","x":")" + huge + R"(","y":")" + huge + R"("})"}) {
    const KeySetResult result = parse_key_set(jwks({good, key}));
    const Keys keys(result.keys);
    ASSERT_NE(keys, nullptr);
    EXPECT_NE(verify(keys, text), "good");
    EXPECT_EQ(verify(keys, sign_jwt(p256(), "ES256")), "good");
  }
}

// A JWK Set that holds private parts by mistake: what they are is not our business.
TEST(KeySet, MayHavePrivateKeys) {
  const Keys odd = parse(jwks({jwk_of_rsa(rsa(), R"(,"d":"A=AA","p":1)")}));
  EXPECT_EQ(verify(odd, sign_jwt(rsa(), "RS256")), "good") << "nor whether they are base64url";
  const std::string d = base64url(number_of(rsa(), OSSL_PKEY_PARAM_RSA_D));
  const Keys keys = parse(jwks({jwk_of_rsa(rsa(), R"(,"d":")" + d + "\"")}));
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256")), "good");
  EXPECT_EQ(verify(keys, sign_jwt(other_rsa(), "RS256")), "bad");
}

// --- the examples of RFC 7517 appendix A ---

/// A JWT signed by the RSA key of RFC 7517 appendix A, whose `alg` is RS256.
std::string signed_by_rfc7517_rsa() {
  return sign_jwt(rfc7517::rsa_key(), "RS256", R"(,"kid":"2011-04-29")");
}

std::string signed_by_rfc7517_ec() {
  return sign_jwt(rfc7517::ec_key(), "ES256", R"(,"kid":"1")");
}

TEST(KeySet, UsesThePublicKeysOfRfc7517AppendixA1) {
  const Keys keys = parse(rfc7517::public_keys());
  EXPECT_EQ(verify(keys, signed_by_rfc7517_rsa()), "good");
  EXPECT_EQ(verify(keys, sign_jwt(rfc7517::rsa_key(), "RS512", R"(,"kid":"2011-04-29")")), "unknown_key");
  EXPECT_EQ(verify(keys, sign_jwt(rsa(), "RS256", R"(,"kid":"2011-04-29")")), "bad");
}

TEST(KeySet, LeavesOutTheKeyForEncryptionOfRfc7517AppendixA1) {
  EXPECT_EQ(verify(parse(rfc7517::public_keys()), signed_by_rfc7517_ec()), "unknown_key");
  const Keys without_use = parse(jwks({"{" + std::string(rfc7517::ec) + R"(,"kid":"1"})"}));
  EXPECT_EQ(verify(without_use, signed_by_rfc7517_ec()), "good") << "it is the use alone that speaks against it";
}

TEST(KeySet, IgnoresThePrivatePartsOfRfc7517AppendixA2) {
  const Keys keys = parse(rfc7517::private_keys());
  EXPECT_EQ(verify(keys, signed_by_rfc7517_rsa()), "good");
  EXPECT_EQ(verify(keys, signed_by_rfc7517_ec()), "unknown_key");
  const Keys wrong_parts = parse(jwks({rfc7517::rsa_jwk(rfc7517::member("d", "AQAB") + rfc7517::member("p", ""))}));
  EXPECT_EQ(verify(wrong_parts, signed_by_rfc7517_rsa()), "good");
}

TEST(KeySet, UsesNoneOfTheSymmetricKeysOfRfc7517AppendixA3) {
  EXPECT_EQ(refuse(rfc7517::symmetric_keys()), no_key);
  const Keys keys = parse(jwks({rfc7517::a128kw_jwk(), rfc7517::hmac_jwk(), rfc7517::rsa_jwk()}));
  EXPECT_EQ(verify(keys, signed_by_rfc7517_rsa()), "good");
  // The JWS of RFC 7515 appendix A.1, for which the second key is.
  EXPECT_EQ(verify(keys,
                   "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
                   "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
                   "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "bad");
}

TEST(KeySet, OfNothingIsFreed) {
  free_key_set(nullptr);
}

}  // namespace
}  // namespace jose
