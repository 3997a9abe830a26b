#include "oauth/bearer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace oauth {
namespace {

using std::literals::operator""sv;

BearerCredentials parse_bearer(std::string_view authorization) {
  return oauth::parse_bearer(authorization, TokenSyntax::b64token);
}

BearerCredentials parse_visible(std::string_view authorization) {
  return oauth::parse_bearer(authorization, TokenSyntax::visible);
}

TEST(Bearer, IsMissingWithoutHeaderOrWithAnotherScheme) {
  for (const std::string_view header :
       {""sv, " "sv, "Basic dXNlcjpwdw=="sv, "Basic xBearer t"sv, "Basic Bearer t"sv, "DPoP abc"sv, "Bearerabc"sv,
        "BearerX abc"sv, "Beare r"sv, "xBearer abc"sv, "abc"sv, "Bearer=abc"sv, "Bearer,abc"sv, "Bearer\0 abc"sv}) {
    const BearerCredentials credentials = parse_bearer(header);
    EXPECT_EQ(credentials.kind, Credentials::missing) << header;
    EXPECT_TRUE(credentials.token.empty()) << header;
  }
}

TEST(Bearer, IsMalformedWithoutAWellFormedToken) {
  for (const std::string_view header : {"Bearer"sv,
                                        "bearer"sv,
                                        "Bearer "sv,
                                        "Bearer    "sv,
                                        "Bearer\tabc"sv,
                                        "Bearer \tabc"sv,
                                        "Bearer\t abc"sv,
                                        "Bearer abc\t"sv,
                                        "Bearer a b"sv,
                                        "Bearer abc "sv,
                                        "Bearer a,b"sv,
                                        "Bearer abc, Basic x"sv,
                                        "Bearer a\"b"sv,
                                        "Bearer a%20b"sv,
                                        "Bearer a&b"sv,
                                        "Bearer a:b"sv,
                                        "Bearer a\\b"sv,
                                        "Bearer a@b"sv,
                                        "Bearer a[b"sv,
                                        "Bearer a`b"sv,
                                        "Bearer a{b"sv,
                                        "Bearer \x80"
                                        "abc"sv,
                                        "Bearer abc\xFF"sv,
                                        "Bearer caf\xC3\xA9"sv,
                                        "Bearer abc\r\nX: y"sv,
                                        "Bearer abc\n"sv,
                                        "Bearer ab\0c"sv,
                                        "Bearer a\x7F"sv,
                                        "Bearer ="sv,
                                        "Bearer ==="sv,
                                        "Bearer =abc"sv,
                                        "Bearer a=b"sv,
                                        "Bearer a==b="sv}) {
    const BearerCredentials credentials = parse_bearer(header);
    EXPECT_EQ(credentials.kind, Credentials::malformed) << header;
    EXPECT_TRUE(credentials.token.empty()) << header;
  }
}

TEST(Bearer, TakesEveryByteOfTheGrammarAndNoOther) {
  const std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const std::string header = std::string("Bearer a") + c + "z";
    const bool expected = allowed.find(c) != std::string_view::npos;
    EXPECT_EQ(parse_bearer(header).kind == Credentials::bearer, expected) << byte;
  }
}

TEST(Bearer, TakesEveryVisibleByteButFourUnderTheOtherSyntax) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool expected = byte > 0x20 && byte < 0x7F && std::string_view("\",;\\").find(c) == std::string_view::npos;
    for (const std::string &token : {std::string("a") + c + "z", c + std::string("z"), std::string("a") + c}) {
      const std::string header = "Bearer " + token;
      const bool accepted = parse_visible(header).kind == Credentials::bearer;
      EXPECT_EQ(accepted, expected || (c == ' ' && token[0] == ' ')) << byte;
      EXPECT_EQ(parse_visible(header).token, accepted ? token.substr(token[0] == ' ' ? 1 : 0) : "") << byte;
    }
  }
  EXPECT_EQ(parse_visible("Bearer =").token, "=");
  EXPECT_EQ(parse_visible("bearer   a=b=c").token, "a=b=c");
  EXPECT_EQ(parse_visible("Bearer").kind, Credentials::malformed);
  EXPECT_EQ(parse_visible("Bearer\tabc").kind, Credentials::malformed);
  EXPECT_EQ(parse_visible("Bearer a b").kind, Credentials::malformed);
  EXPECT_EQ(parse_visible("Basic a!b").kind, Credentials::missing);
}

struct Accepted {
  std::string_view header;
  std::string_view token;
};

TEST(Bearer, ViewsTheTokenInTheHeader) {
  for (const Accepted &accepted :
       {Accepted{"Bearer abc", "abc"}, Accepted{"bearer abc", "abc"}, Accepted{"BEARER abc", "abc"},
        Accepted{"bEaReR abc", "abc"}, Accepted{"Bearer      abc", "abc"}, Accepted{"Bearer a", "a"},
        Accepted{"Bearer a+b/c==", "a+b/c=="}, Accepted{"Bearer a=", "a="}, Accepted{"Bearer a.b.c", "a.b.c"},
        Accepted{"Bearer -._~+/", "-._~+/"}}) {
    const BearerCredentials credentials = parse_bearer(accepted.header);
    EXPECT_EQ(credentials.kind, Credentials::bearer) << accepted.header;
    EXPECT_EQ(credentials.token, accepted.token) << accepted.header;
    EXPECT_EQ(credentials.token.data() + credentials.token.size(), accepted.header.data() + accepted.header.size());
  }
}

TEST(Bearer, TakesALongToken) {
  const std::string token(7900, 'x');
  EXPECT_EQ(parse_bearer("Bearer " + token).kind, Credentials::bearer);
}

TEST(Bearer, IsFoundWhereALenientReaderWouldFindIt) {
  for (const std::string_view header :
       {"Bearer abc"sv, "bearer abc"sv, "BEARER"sv, "Bearer"sv, "Bearer "sv, "Bearer,abc"sv, "Bearer\tabc"sv,
        "\tBearer abc"sv, " Bearer abc"sv, " \t Bearer abc"sv,
        "\x0B\x0C"
        "Bearer abc"sv,
        "\0Bearer abc"sv,
        "Bearer\x0B"
        "abc"sv,
        "\x85"
        "Bearer abc"sv,
        "\xA0"
        "Bearer\xA0"
        "abc"sv,
        "\x7F"
        "Bearer abc"sv,
        "Basic eA==, Bearer abc"sv, "Basic eA==,bearer abc"sv, "Bearers x, Bearer abc"sv}) {
    EXPECT_TRUE(may_hold_token(header, Scheme::bearer)) << header;
  }
  for (const std::string_view header :
       {""sv, " "sv, "Beare"sv, "Basic eA=="sv, "Basic YWxpY2U6c2VjcmV0"sv, "Bearers abc"sv, "xBearer abc"sv,
        "Basic Bearer=="sv, "Basic ab/Bearer/cd"sv, "DPoP abc"sv, "Digest username=\"Bearer\""sv, "Token bearer_x"sv}) {
    EXPECT_FALSE(may_hold_token(header, Scheme::bearer)) << header;
  }
}

TEST(Bearer, IsReadWithoutAScheme) {
  for (const std::string_view token : {"abc"sv, "a.b-c_d~e+f/g=="sv, "Bearer"sv}) {
    const BearerCredentials credentials = read_token(token, TokenSyntax::b64token);
    EXPECT_EQ(credentials.kind, Credentials::bearer) << token;
    EXPECT_EQ(credentials.token, token);
  }
  for (const std::string_view token :
       {"Bearer abc"sv, " abc"sv, "abc "sv, "a,b"sv, "a!b"sv, "=="sv, "a\0b"sv, "\x80"sv}) {
    EXPECT_EQ(read_token(token, TokenSyntax::b64token).kind, Credentials::malformed) << token;
  }
  EXPECT_EQ(read_token("a!b", TokenSyntax::visible).kind, Credentials::bearer);
  EXPECT_EQ(read_token("a,b", TokenSyntax::visible).kind, Credentials::malformed);
}

// RFC 9449 section 7.1: `DPoP` and a token of the same grammar.
TEST(Dpop, DiffersFromBearerInTheSchemeOnly) {
  for (const std::string_view header :
       {""sv, " "sv, "Basic x"sv, "Bearer abc"sv, "DPoPabc"sv, "DPo"sv, "DPoPs abc"sv, "xDPoP abc"sv, " DPoP abc"sv,
        "DPoP,abc"sv, "Bearer DPoP abc"sv, "DPoP\0 abc"sv}) {
    EXPECT_EQ(parse_dpop(header, TokenSyntax::b64token).kind, Credentials::missing) << header;
  }
  for (const std::string_view header : {"DPoP"sv, "dpop "sv, "DPoP\tabc"sv, "DPoP a b"sv, "DPoP a,b"sv, "DPoP abc "sv,
                                        "DPoP ="sv, "DPoP \"abc\""sv, "DPoP a=b"sv}) {
    EXPECT_EQ(parse_dpop(header, TokenSyntax::b64token).kind, Credentials::malformed) << header;
    EXPECT_TRUE(parse_dpop(header, TokenSyntax::b64token).token.empty()) << header;
  }
  for (const std::string_view header : {"DPoP abc"sv, "dpop abc"sv, "DPOP    abc"sv, "dPoP a-._~+/9=="sv}) {
    const BearerCredentials credentials = parse_dpop(header, TokenSyntax::b64token);
    EXPECT_EQ(credentials.kind, Credentials::bearer) << header;
    EXPECT_EQ(credentials.token, header.substr(header.rfind(' ') + 1)) << header;
    EXPECT_EQ(parse_bearer(header).kind, Credentials::missing) << header;
  }
  EXPECT_EQ(parse_dpop("DPoP a=b", TokenSyntax::visible).token, "a=b");
  EXPECT_EQ(parse_dpop("DPoP a;b", TokenSyntax::visible).kind, Credentials::malformed);
}

TEST(Bearer, IsKnownByItsScheme) {
  for (const std::string_view header : {"Bearer"sv, "bearer x"sv, "BEARER\tx"sv, "Bearer a b"sv}) {
    EXPECT_TRUE(has_scheme(header, Scheme::bearer)) << header;
  }
  for (const std::string_view header : {""sv, "Basic x"sv, "Bearerx"sv, " Bearer x"sv, "Bearer,x"sv}) {
    EXPECT_FALSE(has_scheme(header, Scheme::bearer)) << header;
  }
  for (const std::string_view header : {"DPoP"sv, "dpop x"sv, "DPOP\tx"sv, "DPoP a b"sv}) {
    EXPECT_TRUE(has_scheme(header, Scheme::dpop)) << header;
    EXPECT_FALSE(has_scheme(header, Scheme::bearer)) << header;
  }
  for (const std::string_view header : {""sv, "Bearer x"sv, "DPoPx"sv, " DPoP x"sv, "DPoP,x"sv}) {
    EXPECT_FALSE(has_scheme(header, Scheme::dpop)) << header;
  }
}

}  // namespace
}  // namespace oauth
