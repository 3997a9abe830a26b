#include "oauth/dpop_proof.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oauth/dpop_header.h"
#include "test_keys.h"
#include "test_memory.h"
#include "test_openssl_memory.h"

namespace oauth {
namespace {

using namespace jose;

constexpr std::int64_t now = 1700000000;
constexpr std::string_view secret = "a secret of 32 bytes, or of more";
constexpr std::string_view token =
    "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";  // RFC 9449 section 7.1, with its hash:
constexpr std::string_view ath = R"("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo")";

const PrivateKey &client_key() {
  static const PrivateKey key = make_ec_key("P-256");
  return key;
}

/// The members of a header or of claims: their names and their values as JSON. Empty: not there.
using Members = std::map<std::string, std::string>;

std::string to_json(const Members &members) {
  std::string text;
  for (const auto &[name, value] : members) {
    if (!value.empty()) {
      text += (text.empty() ? "{\"" : ",\"") + name + "\":" + value;
    }
  }
  return text.empty() ? "{}" : text + "}";
}

Members changed(Members members, const Members &changes) {
  for (const auto &[name, value] : changes) {
    members[name] = value;
  }
  return members;
}

Members good_header() {
  return {{"typ", R"("dpop+jwt")"}, {"alg", R"("ES256")"}, {"jwk", jwk_of_ec(client_key(), "P-256")}};
}

Members good_claims() {
  return {{"jti", R"("e1j3V_bKic8-LAEB")"},
          {"htm", R"("GET")"},
          {"htu", R"("https://resource.example.org/protectedresource")"},
          {"iat", "1700000000"},
          {"ath", std::string(ath)}};
}

std::string make_proof(const Members &header, const Members &claims) {
  return sign_jwt(client_key(), signing_of("ES256"), to_json(header), to_json(claims));
}

constexpr std::string_view algorithms[] = {"ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"};

struct Case {
  std::string proof;
  DpopRequirements requirements = {{algorithms, std::size(algorithms)}, 60, 0, {}};
  ProvenRequest request = {"GET", "https://resource.example.org/protectedresource?a=b", token, now};
};

/// What all three steps make of a proof, in the order in which the gateway takes them.
struct Judged {
  explicit Judged(const Case &test) : Judged(test, memory_) {}

  Judged(const Case &test, Memory &memory) {
    verdict = read_dpop_proof(test.proof, memory, proof);
    if (verdict.outcome == Outcome::active) {
      verdict = check_dpop_proof(proof, test.requirements, test.request, memory);
    }
    if (verdict.outcome == Outcome::active) {
      verdict = verify_dpop_proof(proof, memory);
    }
    EXPECT_EQ(verdict.outcome != Outcome::active, verdict.problem != nullptr);
    EXPECT_EQ(ERR_peek_error(), 0U);
  }

  TestMemory memory_;
  DpopProof proof;
  Verdict verdict;
};

/// @return the word of the outcome, and the problem behind it where there is one.
std::string judge(const Case &test) {
  const Verdict verdict = Judged(test).verdict;
  return std::string(meaning(verdict.outcome).word) + (verdict.problem == nullptr ? "" : ": ") +
         (verdict.problem == nullptr ? "" : verdict.problem);
}

constexpr const char *active = "active";

struct Change {
  Members header;
  Members claims;
  std::string result;
};

void expect_results(const std::vector<Change> &changes) {
  for (const Change &change : changes) {
    const Members header = changed(good_header(), change.header);
    const Members claims = changed(good_claims(), change.claims);
    EXPECT_EQ(judge({make_proof(header, claims)}), change.result) << to_json(header) << to_json(claims);
  }
}

TEST(DpopProof, IsAccepted) {
  const Case test = {make_proof(good_header(), good_claims())};
  const Judged judged(test);
  EXPECT_EQ(judged.verdict.outcome, Outcome::active);
  EXPECT_EQ(judged.proof.jti, "e1j3V_bKic8-LAEB");
  EXPECT_EQ(judged.proof.iat, now);
  EXPECT_EQ(name(*judged.proof.algorithm), "ES256");
  EXPECT_FALSE(judged.proof.is_nonce_due);
  const std::string jwk = good_header()["jwk"];
  char thumbprint[thumbprint_size];
  ASSERT_TRUE(make_thumbprint(R"({"crv":"P-256",)" + jwk.substr(1, 11) + jwk.substr(jwk.find(R"("x")")), thumbprint));
  EXPECT_EQ(std::string_view(judged.proof.thumbprint, thumbprint_size), std::string_view(thumbprint, thumbprint_size));
}

TEST(DpopProof, HasAHeaderAsRfc9449Section42) {
  const std::string typ = "dpop_proof: the typ of the proof is not dpop+jwt";
  const std::string alg = "dpop_proof: the alg of the proof is none of an asymmetric signature that is supported";
  const std::string unsigned_jwt = std::string("dpop_proof: ") + jwt_is_not_signed;
  const std::string no_jwk = "dpop_proof: its header has no jwk";
  const std::string private_jwk = "dpop_proof: the jwk in its header has a private member";
  const std::string unfit = "dpop_proof: the key in its header does not fit its alg";
  const std::string jwk = good_header()["jwk"];
  expect_results({
      {{{"typ", R"("DPoP+JWT")"}}, {}, active},
      {{{"typ", R"("application/dpop+jwt")"}}, {}, active},
      {{{"typ", ""}}, {}, typ},
      {{{"typ", "null"}}, {}, typ},
      {{{"typ", R"("JWT")"}}, {}, typ},
      {{{"typ", R"("dpop")"}}, {}, typ},
      {{{"typ", R"("dpop+jwt ")"}}, {}, typ},
      {{{"typ", R"(["dpop+jwt"])"}}, {}, typ},
      {{{"kid", R"("x")"}, {"x5c", "[]"}}, {}, active},
      {{{"crit", R"(["exp"])"}}, {}, "dpop_proof: the proof's header has crit, which is not supported"},
      {{{"crit", "null"}}, {}, "dpop_proof: the proof's header has crit, which is not supported"},
      {{{"alg", ""}}, {}, unsigned_jwt},
      {{{"alg", R"("none")"}}, {}, unsigned_jwt},
      {{{"alg", R"("HS256")"}}, {}, alg},
      {{{"alg", R"("es256")"}}, {}, alg},
      {{{"alg", R"("ES256K")"}}, {}, alg},
      {{{"alg", R"("RS1")"}}, {}, alg},
      {{{"alg", R"("PS384")"}}, {}, unfit},
      {{{"alg", R"("ES384")"}}, {}, unfit},
      {{{"alg", R"("EdDSA")"}}, {}, unfit},
      {{{"jwk", ""}}, {}, no_jwk},
      {{{"jwk", R"("x")"}}, {}, no_jwk},
      {{{"jwk", jwk.substr(0, jwk.size() - 1) + R"(,"kid":"1","use":"sig","alg":"RS256"})"}}, {}, active},
      {{{"jwk", jwk.substr(0, jwk.size() - 1) + R"(,"d":"x"})"}}, {}, private_jwk},
      {{{"jwk", R"({"kty":"oct","k":"c2VjcmV0"})"}}, {}, private_jwk},
      {{{"jwk", R"({"kty":"oct"})"}}, {}, "dpop_proof: the jwk in its header is no public key"},
      {{{"jwk", R"({"kty":"EC","crv":"P-256","x":"eA","y":"eQ"})"}},
       {},
       "dpop_proof: the key in its header is broken, too weak, or of a curve that signs nothing"},
      {{{"jwk", jwk_of_ec(make_ec_key("P-256"), "P-256")}}, {}, "dpop_proof: its signature is wrong"},
  });
}

TEST(DpopProof, HasClaimsForThisRequest) {
  const std::string jti = "dpop_proof: the jti of the proof is not a string of 1 to 256 characters";
  const std::string iat = "dpop_proof: the proof has no iat that is a number";
  const std::string ahead = "dpop_proof: the iat of the proof is ahead";
  const std::string old = "dpop_proof: the proof is too old";
  const std::string htm = "dpop_proof: the htm of the proof is not the request's method";
  const std::string htu = "dpop_proof: the htu of the proof is not the request's URI";
  const std::string hash = "dpop_proof: the ath of the proof is not the hash of the token";
  const std::string exp = "dpop_proof: the exp of the proof is past, or no number";
  const std::string nbf = "dpop_proof: the nbf of the proof is ahead, or no number";
  const auto quoted = [](const std::string &text) { return '"' + text + '"'; };
  std::string accents;
  while (accents.size() < 2 * 256) {
    accents += "\xC3\xA9";
  }
  expect_results({
      {{}, {{"jti", R"("x")"}}, active},
      {{}, {{"jti", quoted(std::string(256, 'x'))}}, active},
      {{}, {{"jti", quoted(accents)}}, active},
      {{}, {{"jti", quoted(std::string(257, 'x'))}}, jti},
      {{}, {{"jti", quoted(accents + "x")}}, jti},
      {{}, {{"jti", R"("")"}}, jti},
      {{}, {{"jti", ""}}, jti},
      {{}, {{"jti", "null"}}, jti},
      {{}, {{"jti", "7"}}, jti},
      {{}, {{"iat", ""}}, iat},
      {{}, {{"iat", "null"}}, iat},
      {{}, {{"iat", R"("1700000000")"}}, iat},
      {{}, {{"iat", "1e-400"}}, iat},
      {{}, {{"iat", "1700000005"}}, active},
      {{}, {{"iat", "1700000005.9"}}, active},
      {{}, {{"iat", "1.7e9"}}, active},
      {{}, {{"iat", "1700000006"}}, ahead},
      {{}, {{"iat", "1e300"}}, ahead},
      {{}, {{"iat", "1699999940"}}, active},
      {{}, {{"iat", "1699999940.5"}}, active},
      {{}, {{"iat", "1699999939.9"}}, old},
      {{}, {{"iat", "0"}}, old},
      {{}, {{"iat", "-1e300"}}, old},
      {{}, {{"htm", ""}}, htm},
      {{}, {{"htm", R"("")"}}, htm},
      {{}, {{"htm", R"("get")"}}, htm},
      {{}, {{"htm", R"("POST")"}}, htm},
      {{}, {{"htm", R"(["GET"])"}}, htm},
      {{}, {{"htu", R"("https://resource.example.org/protectedresource?x#y")"}}, active},
      {{}, {{"htu", R"("HTTPS://Resource.Example.org:443/%70rotectedresource")"}}, active},
      {{}, {{"htu", R"("https://resource.example.org/x/../protectedresource")"}}, active},
      {{}, {{"htu", R"("https://resource.example.org/protectedresource/")"}}, htu},
      {{}, {{"htu", R"("http://resource.example.org/protectedresource")"}}, htu},
      {{}, {{"htu", R"("https://u@resource.example.org/protectedresource")"}}, htu},
      {{}, {{"htu", R"("/protectedresource")"}}, htu},
      {{}, {{"htu", R"("")"}}, htu},
      {{}, {{"htu", ""}}, htu},
      {{}, {{"htu", "null"}}, htu},
      {{}, {{"htu", R"(["https://resource.example.org/protectedresource"])"}}, htu},
      {{}, {{"ath", ""}}, hash},
      {{}, {{"ath", "null"}}, hash},
      {{}, {{"ath", R"("")"}}, hash},
      {{}, {{"ath", std::string(ath.substr(0, ath.size() - 1)) + R"(=")"}}, hash},
      {{}, {{"ath", R"("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEp")"}}, hash},
      {{}, {{"nonce", "7"}, {"x", "{}"}}, active},  // not asked for
      // RFC 7519: where they are
      {{}, {{"exp", "1700000001"}}, active},
      {{}, {{"exp", "null"}}, active},
      {{}, {{"exp", "1700000000"}}, exp},
      {{}, {{"exp", "0"}}, exp},
      {{}, {{"exp", R"("1700000001")"}}, exp},
      {{}, {{"nbf", "1700000005"}}, active},
      {{}, {{"nbf", "null"}}, active},
      {{}, {{"nbf", "1700000006"}}, nbf},
      {{}, {{"nbf", "false"}}, nbf},
  });
}

// What is wrong first is what the log says, and the signature, which costs most, comes last.
TEST(DpopProof, IsCheckedInOrder) {
  Members header = {{"typ", R"("x")"}, {"alg", R"("HS256")"}, {"jwk", "{}"}, {"crit", "[]"}};
  Members claims = {{"jti", R"("")"}, {"htm", R"("")"}, {"htu", R"("")"}, {"iat", "0"},
                    {"ath", R"("")"}, {"exp", "0"},     {"nbf", "false"}, {"nonce", R"("")"}};
  const struct {
    Members *part;
    const char *name;
    std::string good;
    std::string problem;
  } steps[] = {
      {&header, "typ", R"("dpop+jwt")", "the typ of the proof is not dpop+jwt"},
      {&header, "alg", R"("ES384")", "the alg of the proof is none of an asymmetric signature that is supported"},
      {&header, "crit", "", "the proof's header has crit, which is not supported"},
      {&header, "jwk", jwk_of_ec(make_ec_key("P-256"), "P-256"), "the jwk in its header is no public key"},
      {&header, "alg", R"("ES256")", "the key in its header does not fit its alg"},
      {&claims, "jti", R"("x")", "the jti of the proof is not a string of 1 to 256 characters"},
      {&claims, "htm", R"("GET")", "the htm of the proof is not the request's method"},
      {&claims, "htu", good_claims()["htu"], "the htu of the proof is not the request's URI"},
      {&claims, "iat", "1700000000", "the proof is too old"},
      {&claims, "exp", "1700000001", "the exp of the proof is past, or no number"},
      {&claims, "nbf", "", "the nbf of the proof is ahead, or no number"},
      {&claims, "ath", std::string(ath), "the ath of the proof is not the hash of the token"},
  };
  Case test;
  test.requirements.nonces = {secret, 300};
  for (const auto &step : steps) {
    test.proof = make_proof(header, claims);
    EXPECT_EQ(judge(test), "dpop_proof: " + step.problem);
    (*step.part)[step.name] = step.good;
  }
  test.proof = make_proof(header, claims);
  EXPECT_EQ(judge(test), "dpop_nonce: the proof has no nonce");
  test.requirements.nonces = {};
  EXPECT_EQ(judge(test), "dpop_proof: its signature is wrong");
}

TEST(DpopProof, IsAJwt) {
  const std::string good = make_proof(good_header(), good_claims());
  EXPECT_EQ(judge({good}), active);
  for (const std::string &text :
       {std::string(), std::string("x"), good.substr(0, good.rfind('.')), good.substr(0, good.rfind('.') + 1),
        good + ".x", good + "=", " " + good, good + " ", good + ", " + good, make_jwt("{}", "{}"),
        make_jwt(to_json(good_header()), "[]"), make_jwt(to_json(good_header()), R"({"jti":"a","jti":"a"})")}) {
    EXPECT_EQ(judge({text}).substr(0, 12), "dpop_proof: ") << text;
  }
}

TEST(DpopProof, HasAtMost16KiB) {
  Members claims = good_claims();
  const std::size_t rest = make_proof(good_header(), claims).size();
  claims["more"] = '"' + std::string((largest_dpop_proof - rest) / 4 * 3 - 12, 'x') + '"';
  std::string proof = make_proof(good_header(), claims);
  while (proof.size() < largest_dpop_proof) {
    claims["more"].insert(1, "x");
    proof = make_proof(good_header(), claims);
  }
  ASSERT_EQ(proof.size(), largest_dpop_proof);
  EXPECT_EQ(judge({proof}), active);
  claims["more"].insert(1, "x");
  EXPECT_EQ(judge({make_proof(good_header(), claims)}), "dpop_proof: the proof is larger than 16 KiB");
}

/// RFC 9449 section 7.1, the example.
TEST(DpopProof, IsThatOfRfc9449) {
  Case test = {
      "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
      "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
      "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy"
      "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9."
      "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"};
  test.request.received = 1562262618;
  EXPECT_EQ(judge(test), active);
  test.request.received += 61;
  EXPECT_EQ(judge(test), "dpop_proof: the proof is too old");
}

TEST(DpopProof, HasASignatureOfAKeyThatIsSupported) {
  const std::string good = make_proof(good_header(), good_claims());
  const std::string text = good.substr(0, good.rfind('.') + 1);
  EXPECT_EQ(judge({text + std::string(86, 'A')}), "dpop_proof: its signature is wrong");
  EXPECT_EQ(judge({text + "c2ln"}), "dpop_proof: its signature is wrong");
  EXPECT_EQ(judge({text + good.substr(text.size()) + "AAAA"}), "dpop_proof: its signature is wrong");
  EXPECT_EQ(judge({text + std::string(2732, 'A')}), "dpop_proof: its signature is longer than that of any key");
}

// Between two steps of one request, another request's header may have taken the place of this one's.
TEST(DpopProof, IsVerifiedAlsoWhereItsHeaderIsNotKeptAnyMore) {
  const Case test = {make_proof(good_header(), good_claims())};
  Judged judged(test);
  forget_dpop_headers();
  TestMemory none(0);
  EXPECT_NE(verify_dpop_proof(judged.proof, none).outcome, Outcome::active);
  EXPECT_EQ(verify_dpop_proof(judged.proof, judged.memory_).outcome, Outcome::active);
}

TEST(DpopProof, IsForTheRequest) {
  const Case good = {make_proof(good_header(), good_claims())};
  Case test = good;
  test.request.method = "POST";
  EXPECT_EQ(judge(test), "dpop_proof: the htm of the proof is not the request's method");
  test = good;
  test.request.token = token.substr(1);
  EXPECT_EQ(judge(test), "dpop_proof: the ath of the proof is not the hash of the token");
  for (const std::string_view uri : {"", "/protectedresource", "https:///protectedresource", "ftp://a/"}) {
    test = good;
    test.request.uri = uri;
    EXPECT_EQ(judge(test), "dpop_proof: the request's URI is no absolute http or https URI, so no proof can be for it");
  }
  for (const std::string_view uri :
       {"https://resource.example.org/protectedresource2", "http://resource.example.org/protectedresource"}) {
    test = good;
    test.request.uri = uri;
    EXPECT_EQ(judge(test), "dpop_proof: the htu of the proof is not the request's URI");
  }
  Members claims = good_claims();
  claims["htm"] = R"("")";
  test = {make_proof(good_header(), claims)};
  test.request.method = "";
  EXPECT_EQ(judge(test), "dpop_proof: the htm of the proof is not the request's method");
}

TEST(DpopProof, IsOfItsTime) {
  const struct {
    std::int64_t received;  ///< after iat
    std::int64_t max_age;
    std::int64_t leeway;
    bool is_good;
  } cases[] = {
      {0, 60, 0, true},   {60, 60, 0, true},   {61, 60, 0, false}, {-5, 60, 0, true},   {-6, 60, 0, false},
      {-5, 60, 3, true},  {-6, 60, 3, false},  {-6, 60, 6, true},  {-30, 60, 30, true}, {-31, 60, 30, false},
      {60, 60, 30, true}, {61, 60, 30, false}, {1, 1, 3600, true}, {2, 1, 3600, false},
  };
  for (const auto &test : cases) {
    Case proof = {make_proof(good_header(), good_claims())};
    proof.requirements.max_age = test.max_age;
    proof.requirements.leeway = test.leeway;
    proof.request.received = now + test.received;
    EXPECT_EQ(judge(proof) == active, test.is_good) << test.received << ' ' << test.max_age << ' ' << test.leeway;
  }
  // The leeway lengthens exp and nbf, as it does those of tokens.
  Members claims = good_claims();
  claims["exp"] = "1699999991";
  claims["nbf"] = "1700000010";
  Case test = {make_proof(good_header(), claims)};
  test.requirements.leeway = 10;
  EXPECT_EQ(judge(test), active);
  test.requirements.leeway = 9;
  EXPECT_NE(judge(test), active);
}

TEST(DpopProof, HasANonceWhereItIsAskedFor) {
  const auto made = [](std::int64_t time) {
    std::string nonce(dpop_nonce_size, '?');
    EXPECT_TRUE(make_dpop_nonce(secret, time, nonce.data()));
    return '"' + nonce + '"';
  };
  const struct {
    std::string nonce;
    std::string result;
    bool is_due;
  } cases[] = {
      {made(now), active, false},
      {made(now - 150), active, false},
      {made(now - 151), active, true},
      {made(now - 299), active, true},
      {made(now + 5), active, false},
      {made(now + 6), "dpop_nonce: the nonce of the proof is unknown or old", false},
      {made(now - 300), "dpop_nonce: the nonce of the proof is unknown or old", false},
      {R"("x")", "dpop_nonce: the nonce of the proof is unknown or old", false},
      {"", "dpop_nonce: the proof has no nonce", false},
      {R"("")", "dpop_nonce: the proof has no nonce", false},
      {"null", "dpop_nonce: the proof has no nonce", false},
      {"1700000000", "dpop_nonce: the proof has no nonce", false},
  };
  for (const auto &row : cases) {
    Case test = {make_proof(good_header(), changed(good_claims(), {{"nonce", row.nonce}}))};
    test.requirements.nonces = {secret, 300};
    EXPECT_EQ(judge(test), row.result) << row.nonce;
    EXPECT_EQ(Judged(test).proof.is_nonce_due, row.is_due) << row.nonce;
  }
}

TEST(DpopProof, IsSignedByAnyAllowedAlgorithm) {
  const PrivateKey p384 = make_ec_key("P-384");
  const PrivateKey rsa = make_rsa_key(2048);
  const PrivateKey ed25519 = make_edwards_key("ED25519");
  const struct {
    const PrivateKey &key;
    std::string alg;
    std::string jwk;
  } cases[] = {{p384, "ES384", jwk_of_ec(p384, "P-384")},
               {rsa, "PS256", jwk_of_rsa(rsa)},
               {rsa, "RS256", jwk_of_rsa(rsa)},
               {ed25519, "EdDSA", jwk_of_edwards(ed25519, "Ed25519")},
               {ed25519, "Ed25519", jwk_of_edwards(ed25519, "Ed25519")}};
  for (const auto &row : cases) {
    const Members header = changed(good_header(), {{"alg", '"' + row.alg + '"'}, {"jwk", row.jwk}});
    Case test = {sign_jwt(row.key, signing_of(row.alg), to_json(header), to_json(good_claims()))};
    EXPECT_EQ(judge(test), active) << row.alg;
    test.requirements.algorithms = {algorithms, 1};
    EXPECT_EQ(judge(test), "dpop_proof: the alg of the proof is not allowed here") << row.alg;
    test.requirements.algorithms = {};
    EXPECT_EQ(judge(test), "dpop_proof: the alg of the proof is not allowed here") << row.alg;
  }
}

TEST(DpopProof, IsNoProofWithoutMemory) {
  Members claims = good_claims();
  claims["htu"] = R"("https://RESOURCE.example.org/protectedresource")";
  const Case test = {make_proof(good_header(), claims)};
  expect_refusal_without_memory([&test](Memory &memory) {
    forget_dpop_headers();
    return Judged(test, memory).verdict.outcome == Outcome::active;
  });
}

// A client whose proof is good must not be told that it is not.
TEST(DpopProof, IsNotRefusedWhereOpensslHasNoMemory) {
  Members claims = good_claims();
  std::string nonce(dpop_nonce_size, '?');
  ASSERT_TRUE(make_dpop_nonce(secret, now, nonce.data()));
  claims["nonce"] = '"' + nonce + '"';
  Case test = {make_proof(good_header(), claims)};
  test.requirements.nonces = {secret, 300};
  std::map<std::string, int> problems;
  const int failures = count_failures_without_memory([&] {
    forget_dpop_headers();
    const Verdict verdict = Judged(test).verdict;
    EXPECT_TRUE(verdict.outcome == Outcome::active || verdict.outcome == Outcome::internal_error);
    problems[verdict.problem == nullptr ? "" : verdict.problem]++;
    return verdict.outcome == Outcome::active;
  });
  EXPECT_GT(failures, 3);
  EXPECT_EQ(problems.size(), 4U) << "the header; hash and nonce; the signature; and the end";
  forget_dpop_headers();
}

}  // namespace
}  // namespace oauth
