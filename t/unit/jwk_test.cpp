#include "jose/jwk.h"

#include <gtest/gtest.h>
#include <jansson.h>

#include <string>

#include "jose/json_text.h"
#include "test_jwt.h"

namespace jose {
namespace {

TEST(PublicKey, OfAnEdwardsCurveHasItsSize) {
  const auto import = [](const std::string &curve, std::size_t size) {
    const std::string text =
        R"({"kty":"OKP","crv":")" + curve + R"(","x":")" + base64url(std::string(size, '\1')) + R"("})";
    json_t *json = json_loads(text.c_str(), 0, nullptr);
    PublicKey key;
    const Import result = import_public_key(jwk_members(json), key);
    free_public_key(key);
    json_decref(json);
    return result;
  };
  EXPECT_EQ(import("Ed25519", 32), Import::good);
  EXPECT_EQ(import("Ed448", 57), Import::good);
  for (const std::size_t size : {1U, 31U, 33U, 57U, 64U}) {
    EXPECT_EQ(import("Ed25519", size), Import::broken) << size;
  }
  for (const std::size_t size : {32U, 56U, 58U}) {
    EXPECT_EQ(import("Ed448", size), Import::broken) << size;
  }
  EXPECT_EQ(import("X25519", 32), Import::other_kind) << "it signs nothing";
  EXPECT_EQ(import("ed25519", 32), Import::other_kind);
}

}  // namespace
}  // namespace jose
