#include "jose/jwt.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_jwt.h"
#include "test_memory.h"

namespace jose {
namespace {

using std::literals::operator""sv;

constexpr std::string_view rs256 = R"({"alg":"RS256"})";

/// @return the problem; empty where the JWT is accepted.
std::string_view refuse(std::string_view text) {
  TestMemory memory;
  Jwt jwt;
  const char *problem = nullptr;
  const bool accepted = parse_jwt(text, memory, jwt, problem);
  EXPECT_EQ(accepted, problem == nullptr) << text;
  EXPECT_EQ(accepted, jwt.claims != nullptr) << text;
  return problem == nullptr ? std::string_view() : problem;
}

TEST(Jwt, IsReadAsItStands) {
  const std::string text = make_jwt(R"({"alg":"ES256","typ":"JWT"})", R"({"iss":"https://as","exp":7,"sub":"\u00e9"})");
  TestMemory memory;
  Jwt jwt;
  const char *problem = nullptr;
  ASSERT_TRUE(parse_jwt(text, memory, jwt, problem)) << problem;
  EXPECT_EQ(jwt.compact, text);
  EXPECT_EQ(jwt.compact.data(), text.data());
  EXPECT_EQ(jwt.header->member("alg")->text, "ES256");
  EXPECT_EQ(jwt.claims->member("iss")->text, "https://as");
  EXPECT_EQ(jwt.claims->member("exp")->text, "7");
  EXPECT_EQ(jwt.claims->member("sub")->text, "\xC3\xA9");
}

TEST(Jwt, IsReadAsInRfc7515AppendixA1) {
  const std::string_view text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  TestMemory memory;
  Jwt jwt;
  const char *problem = nullptr;
  ASSERT_TRUE(parse_jwt(text, memory, jwt, problem)) << problem;
  EXPECT_EQ(jwt.header->member("alg")->text, "HS256");
  EXPECT_EQ(jwt.claims->member("exp")->text, "1300819380");
  EXPECT_TRUE(jwt.claims->member("http://example.com/is_root")->is_true());
}

TEST(Jwt, IsTrimmed) {
  const std::string text = make_jwt("{}");
  for (const std::string_view space : {" "sv, "\n"sv, "\r\n"sv, "\t"sv, " \t\r\n \n"sv}) {
    const std::string padded = std::string(space) + text + std::string(space);
    TestMemory memory;
    Jwt jwt;
    const char *problem = nullptr;
    ASSERT_TRUE(parse_jwt(padded, memory, jwt, problem));
    EXPECT_EQ(jwt.compact, text);
  }
}

TEST(Jwt, IsRefusedWithOtherBytesAroundOrInside) {
  const std::string text = make_jwt(R"({"sub":"somebody"})");
  EXPECT_EQ(refuse(text), "");
  for (const std::string_view other : {"\0"sv, "\v"sv, "\f"sv, "\xEF\xBB\xBF"sv, "\xC2\xA0"sv, "."sv, "\""sv, "="sv}) {
    EXPECT_NE(refuse(std::string(other) + text), "") << other;
    EXPECT_NE(refuse(text + std::string(other)), "") << other;
  }
  for (const std::string_view inside :
       {" "sv, "\n"sv, "\r"sv, "\r\n"sv, "\t"sv, "\0"sv, "="sv, "+"sv, "/"sv, ":"sv, "\x80"sv, "%"sv}) {
    for (std::size_t at = 1; at < text.size(); ++at) {
      EXPECT_NE(refuse(std::string(text).insert(at, inside)), "") << inside << " at " << at;
    }
  }
}

TEST(Jwt, HasThreeParts) {
  const std::string header = base64url(rs256);
  const std::string claims = base64url("{}");
  for (const std::string &text :
       {std::string(), std::string(" "), std::string("."), std::string(".."), std::string("..."), std::string("opaque"),
        header, header + "." + claims, header + "." + claims + ".", header + ".." + "c2ln", "." + claims + ".c2ln",
        "." + header + "." + claims, header + "." + claims + ".c2ln.c2ln", header + "." + claims + ".c2ln.",
        header + "." + claims + ".a.b.c", header + "." + claims + "..c2ln"}) {
    EXPECT_NE(refuse(text), "") << text;
  }
  EXPECT_EQ(refuse(header + "." + claims), "the JWT does not have three parts");
  EXPECT_EQ(refuse(header + "." + claims + ".c2ln.c2ln.c2ln"), "the JWT does not have three parts");
}

TEST(Jwt, HasPartsOfCanonicalBase64url) {
  const std::string header = base64url(rs256);
  const std::string claims = base64url("{}");  // "e30"
  EXPECT_EQ(refuse(header + "." + claims + ".c2ln"), "");
  for (const std::string_view signature : {"c2ln="sv, "c2l="sv, "c2l"sv, "c"sv, "c2ln+/"sv, "c2lnYQ=="sv, "YR"sv}) {
    EXPECT_NE(refuse(header + "." + claims + "." + std::string(signature)), "") << signature;
  }
  EXPECT_NE(refuse(header + "=." + claims + ".c2ln"), "");
  EXPECT_NE(refuse(header + "." + claims + "=.c2ln"), "");
  EXPECT_NE(refuse(header + ".e31.c2ln"), "");  // unused bits that are not zero
}

TEST(Jwt, HasObjectsForHeaderAndClaims) {
  for (const std::string_view other : {"[]"sv,
                                       "1"sv,
                                       "null"sv,
                                       "true"sv,
                                       R"("{}")"sv,
                                       ""sv,
                                       " "sv,
                                       "{"sv,
                                       "{}{}"sv,
                                       "{}\0"sv,
                                       "{} x"sv,
                                       "\xEF\xBB\xBF{}"sv,
                                       "[{}]"sv,
                                       "{\"a\":\"\xFF\"}"sv,
                                       R"({"a":"\uD800"})"sv,
                                       R"({"a":"\uDC00"})"sv,
                                       R"({"a\u0000":1})"sv,
                                       R"({"exp":1,"e\u0078p":2})"sv,
                                       R"({"a":{"b":1,"b":2}})"sv,
                                       R"({"a":1E400})"sv}) {
    EXPECT_NE(refuse(make_jwt(rs256, other)), "") << other;
    EXPECT_NE(refuse(make_jwt(other, "{}")), "") << other;
  }
  EXPECT_NE(refuse(make_jwt(R"({"alg":"RS256","alg":"none"})", "{}")), "");
  EXPECT_NE(refuse(make_jwt(R"({"alg":"RS256","x":"\uDC00"})", "{}")), "");
  EXPECT_NE(refuse(make_jwt(rs256, std::string(200000, '['))), "");
}

TEST(Jwt, IsSigned) {
  for (const std::string_view header :
       {"{}"sv, R"({"typ":"JWT"})"sv, R"({"alg":""})"sv, R"({"alg":"none"})"sv, R"({"alg":"None"})"sv,
        R"({"alg":"NONE"})"sv, R"({"alg":"nOnE"})"sv, R"({"\u0061lg":"n\u006fne"})"sv, R"({"alg":null})"sv,
        R"({"alg":true})"sv, R"({"alg":256})"sv, R"({"alg":["RS256"]})"sv, R"({"alg":{"RS256":1}})"sv,
        R"({"ALG":"RS256"})"sv, R"({"x":{"alg":"RS256"}})"sv}) {
    EXPECT_EQ(refuse(make_jwt(header, "{}")), "the JWT is not signed") << header;
  }
  for (const std::string_view header :
       {R"({"alg":"RS256"})"sv, R"({"alg":"EdDSA"})"sv, R"({"alg":"nonesuch"})"sv, R"({"\u0061lg":"HS256"})"sv}) {
    EXPECT_EQ(refuse(make_jwt(header, "{}")), "") << header;
  }
}

TEST(Jwt, IsRefusedWithoutMemory) {
  const std::string text = make_jwt(R"({"alg":"RS256","typ":"JWT"})", R"({"aud":["a","b"],"cnf":{"jkt":"x"}})");
  expect_refusal_without_memory([&text](Memory &memory) {
    Jwt jwt;
    const char *problem = nullptr;
    const bool accepted = parse_jwt(text, memory, jwt, problem);
    EXPECT_EQ(accepted, problem == nullptr);
    return accepted;
  });
}

bool typ_is_envelope(std::string_view header) {
  const std::string text = make_jwt(header, "{}");
  TestMemory memory;
  Jwt jwt;
  const char *problem = nullptr;
  EXPECT_TRUE(parse_jwt(text, memory, jwt, problem)) << problem;
  return has_type(jwt, "token-introspection+jwt");
}

TEST(Jwt, HasATypeWithOrWithoutApplication) {
  for (const std::string_view typ : {"token-introspection+jwt", "TOKEN-Introspection+JWT",
                                     "application/token-introspection+jwt", "Application/Token-Introspection+jwt"}) {
    EXPECT_TRUE(typ_is_envelope(R"({"alg":"RS256","typ":")" + std::string(typ) + "\"}")) << typ;
  }
  EXPECT_TRUE(typ_is_envelope(R"({"alg":"RS256","typ":"token\u002Dintrospection+jwt"})"));
  for (const std::string_view typ :
       {"", "JWT", "at+jwt", "token-introspection", "token-introspection+jw", "token-introspection+jwts",
        "application/", "application/application/token-introspection+jwt", "applicationtoken-introspection+jwt",
        "text/token-introspection+jwt", "/token-introspection+jwt", " token-introspection+jwt",
        "token-introspection+jwt;x=y"}) {
    EXPECT_FALSE(typ_is_envelope(R"({"alg":"RS256","typ":")" + std::string(typ) + "\"}")) << typ;
  }
  for (const std::string_view header : {R"({"alg":"RS256"})", R"({"alg":"RS256","typ":null})",
                                        R"({"alg":"RS256","typ":["token-introspection+jwt"]})"}) {
    EXPECT_FALSE(typ_is_envelope(header)) << header;
  }
}

}  // namespace
}  // namespace jose
