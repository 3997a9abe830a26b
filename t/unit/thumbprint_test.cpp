#include "jose/thumbprint.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_memory.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

std::string thumbprint_of(const JwkMembers &jwk) {
  TestMemory memory;
  std::string thumbprint(thumbprint_size + 1, '?');
  EXPECT_TRUE(make_thumbprint(jwk, memory, thumbprint.data()));
  EXPECT_EQ(thumbprint.back(), '?') << "no terminator";
  thumbprint.pop_back();
  return thumbprint;
}

JwkMembers rsa(std::string_view n, std::string_view e) {
  return {"RSA", {}, {}, {}, n, e};
}

JwkMembers ec(std::string_view crv, std::string_view x, std::string_view y) {
  return {"EC", crv, x, y, {}, {}};
}

JwkMembers okp(std::string_view crv, std::string_view x) {
  return {"OKP", crv, x, {}, {}, {}};
}

constexpr std::string_view ed25519_x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

TEST(JwkThumbprint, IsThatOfTheRfcs) {
  // RFC 7638 section 3.1
  EXPECT_EQ(thumbprint_of(rsa("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
                              "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
                              "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI"
                              "4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                              "AQAB")),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  // RFC 8037 appendix A.3
  EXPECT_EQ(thumbprint_of(okp("Ed25519", ed25519_x)), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  // RFC 9449 sections 4.1 and 6.1
  EXPECT_EQ(thumbprint_of(ec("P-256", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
                             "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA")),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

TEST(JwkThumbprint, IsOfAllRequiredMembersAndOfNoOther) {
  const std::string whole = thumbprint_of(ec("P-256", "eA", "eQ"));
  EXPECT_NE(thumbprint_of(ec("P-384", "eA", "eQ")), whole);
  EXPECT_NE(thumbprint_of(ec("P-256", "eQ", "eQ")), whole);
  EXPECT_NE(thumbprint_of(ec("P-256", "eA", "eA")), whole);
  EXPECT_NE(thumbprint_of(ec("P-256", "AHg", "eQ")), whole) << "a zero before the number is another text";
  EXPECT_NE(thumbprint_of(okp("P-256", "eA")), whole);
  EXPECT_NE(thumbprint_of(rsa("AQ", "Aw")), thumbprint_of(rsa("Aw", "AQ")));
  EXPECT_EQ(thumbprint_of({"EC", "P-256", "eA", "eQ", "n", "e"}), whole);
  EXPECT_EQ(thumbprint_of({"OKP", "Ed25519", "eA", "y", "n", "e"}), thumbprint_of(okp("Ed25519", "eA")));
  EXPECT_EQ(thumbprint_of({"RSA", "crv", "x", "y", "AQ", "Aw"}), thumbprint_of(rsa("AQ", "Aw")));
}

// What no key has must not become the text of another key either.
TEST(JwkThumbprint, EscapesWhatStandsInAMember) {
  EXPECT_NE(thumbprint_of(ec("P-256", R"(eA","y":"eQ)", "")), thumbprint_of(ec("P-256", "eA", R"(eQ","y":")")));
}

TEST(JwkThumbprint, IsRefusedWithoutMemory) {
  expect_refusal_without_memory([](Memory &memory) {
    char thumbprint[thumbprint_size];
    return make_thumbprint(okp("Ed25519", ed25519_x), memory, thumbprint);
  });
  const int failures = count_failures_without_memory([] {
    TestMemory memory;
    char thumbprint[thumbprint_size];
    return make_thumbprint(okp("Ed25519", ed25519_x), memory, thumbprint);
  });
  EXPECT_GT(failures, 0);
}

// RFC 9449 section 7.1: the access token of the example, and its ath.
TEST(Thumbprint, OfATextIsItsHash) {
  char hash[thumbprint_size];
  ASSERT_TRUE(make_thumbprint("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", hash));
  EXPECT_EQ(std::string_view(hash, sizeof(hash)), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

}  // namespace
}  // namespace jose
