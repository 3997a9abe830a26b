#include "jose/certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <string>
#include <string_view>

#include "test_memory.h"
#include "test_openssl_memory.h"

namespace jose {
namespace {

// RFC 8705 appendix A
constexpr std::string_view pem =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx\n"
    "ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG\n"
    "SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ\n"
    "/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID\n"
    "SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV\n"
    "bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=\n"
    "-----END CERTIFICATE-----\n";
constexpr std::string_view thumbprint_of_pem = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";

std::string base64_of_pem() {
  std::string text;
  std::string_view rest = pem.substr(pem.find('\n') + 1);
  for (; rest.front() != '-'; rest.remove_prefix(rest.find('\n') + 1)) {
    text += rest.substr(0, rest.find('\n'));
  }
  return text;
}

/// As nginx writes $ssl_client_escaped_cert, or with small letters; or with every byte encoded.
std::string percent_encoded(std::string_view text, std::string_view digits, bool all = false) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (!all && plain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += {'%', digits[static_cast<unsigned char>(c) >> 4U], digits[static_cast<unsigned char>(c) & 0xFU]};
    }
  }
  return encoded;
}

std::string with_ends_of_lines(std::string_view end) {
  std::string text;
  for (const char c : pem) {
    text += c == '\n' ? std::string(end) : std::string(1, c);
  }
  return text;
}

constexpr std::string_view upper = "0123456789ABCDEF";
constexpr std::string_view lower = "0123456789abcdef";

/// @return the thumbprint; empty where there is none.
std::string thumbprint_of(std::string_view text) {
  TestMemory memory;
  std::string thumbprint(thumbprint_size + 1, '?');
  const CertificateThumbprint result = make_certificate_thumbprint(text, memory, thumbprint.data());
  EXPECT_NE(result, CertificateThumbprint::failed) << text;
  EXPECT_EQ(thumbprint.back(), '?') << "no terminator";
  EXPECT_EQ(ERR_peek_error(), 0U) << text;
  thumbprint.pop_back();
  return result == CertificateThumbprint::made ? thumbprint : "";
}

TEST(Certificate, IsReadInEachOfItsForms) {
  const std::string plus = percent_encoded(pem, upper);
  std::string with_plus;  // a `+` stands for itself where it is not encoded
  for (std::size_t i = 0; i < plus.size(); ++i) {
    const bool is_plus = plus.compare(i, 3, "%2B") == 0;
    with_plus += is_plus ? '+' : plus[i];
    i += is_plus ? 2 : 0;
  }
  ASSERT_NE(with_plus, plus);
  const std::string crlf = with_ends_of_lines("\r\n");
  const std::string in_one_line = with_ends_of_lines(" ");   // as a header of HTTP may have it
  const std::string with_tabs = with_ends_of_lines("\n\t");  // as $ssl_client_cert does
  for (const std::string &text :
       {std::string(pem), std::string(pem.substr(0, pem.size() - 1)), crlf, " \n" + std::string(pem),
        std::string(pem) + " \r\n", plus, percent_encoded(pem, lower), percent_encoded(pem, upper, true), with_plus,
        ":" + base64_of_pem() + ":", in_one_line, with_tabs}) {
    EXPECT_EQ(thumbprint_of(text), thumbprint_of_pem) << text;
  }
}

TEST(Certificate, HasNoTextBeforeIt) {
  EXPECT_EQ(thumbprint_of("subject=CN = mtls\n" + std::string(pem)), "");
  EXPECT_EQ(thumbprint_of(std::string(1, '\0') + std::string(pem)), "");
}

// A terminator may have appended to what the client has sent.
TEST(Certificate, StandsAlone) {
  const std::string other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const std::string &text : {std::string(pem) + other, other + std::string(pem), std::string(pem) + ", " + other,
                                  percent_encoded(pem, upper) + ", " + percent_encoded(other, upper),
                                  percent_encoded(pem, upper) + "," + percent_encoded(pem, upper),
                                  ":" + base64_of_pem() + ":, :AAAA:", std::string(pem) + "x"}) {
    EXPECT_EQ(thumbprint_of(text), "") << text;
  }
}

TEST(Certificate, OfAByteSequenceMayHavePadding) {
  // printf a | openssl dgst -sha256 -binary | basenc --base64url
  EXPECT_EQ(thumbprint_of(":YQ==:"), "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs");
  EXPECT_EQ(thumbprint_of(":YWE=:"), "lhtt0-3jy47LqsvWjeBAzXjrLtWIkTDM60xJJo6k1QY");
  EXPECT_EQ(thumbprint_of(":YWFh:"), "mDSHbc-wXLFnpcJJU-uljErImxrfV_KPL50JrxB-6PA");
}

TEST(Certificate, IsNotWhatOnlyLooksLikeOne) {
  const std::string whole(pem);
  const std::string base64 = base64_of_pem();
  const std::string encoded = percent_encoded(pem, upper);
  const auto replaced = [&whole](std::string_view from, std::string_view to) {
    std::string text = whole;
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
    return text;
  };
  for (const std::string &text : {
           std::string(),
           std::string(" "),
           std::string("\n"),
           std::string("certificate"),
           base64,
           whole.substr(0, whole.size() - 6),
           whole.substr(0, whole.size() / 2),
           whole.substr(1),
           replaced("BEGIN CERTIFICATE", "BEGIN X"),
           replaced(" CERTIFICATE", " PUBLIC KEY"),
           replaced(" CERTIFICATE", " TRUSTED CERTIFICATE"),
           replaced("MIIB", "MI*B"),
           std::string("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
           std::string("-----BEGIN CERTIFICATE----------END CERTIFICATE-----\n"),
           std::string("-----END CERTIFICATE-----\nAAAA\n-----BEGIN CERTIFICATE-----\n"),
           "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" + whole,
           replaced("MIIB", "Proc-Type: 4\n\nMIIB"),
           replaced("+SY=", "+SY"),
           replaced("MIIB", "MI=B"),
           // percent-encoded
           std::string("%"),
           std::string("%2"),
           encoded.substr(0, encoded.size() - 1) + "%",
           encoded.substr(0, encoded.size() - 1) + "%0",
           encoded + "%G0",
           encoded + "%0G",
           encoded + "%/0",
           encoded + "%:0",
           percent_encoded(encoded, upper),
           // a byte sequence
           std::string(":"),
           std::string("::"),
           ":" + base64,
           base64 + ":",
           ":" + base64.substr(1) + ":",
           ":" + base64 + ":;a=b",
           ": " + base64 + ":",
           ":" + base64 + "====:",
           std::string(":A===:"),
           std::string(":====:"),
           std::string(":YQ==YQ==:"),
           std::string(":Y=E=:"),
           std::string(":YQ= :"),
           std::string(":YW-_:"),
           std::string(":YW*h:"),
           std::string(":YWFhYQ:"),
           std::string(":\xFF\xFF\xFF\xFF:"),
       }) {
    EXPECT_EQ(thumbprint_of(text), "") << text;
  }
}

TEST(Certificate, IsNotCalledUnreadableWhereThereIsNoMemory) {
  for (const std::string &text : {std::string(pem), percent_encoded(pem, upper), ":" + base64_of_pem() + ":"}) {
    expect_refusal_without_memory([&text](Memory &memory) {
      char thumbprint[thumbprint_size];
      const CertificateThumbprint result = make_certificate_thumbprint(text, memory, thumbprint);
      EXPECT_NE(result, CertificateThumbprint::unreadable);
      return result == CertificateThumbprint::made;
    });
  }
  for (const std::string &text : {std::string(pem), percent_encoded(pem, upper), ":" + base64_of_pem() + ":"}) {
    const int failures = count_failures_without_memory([&text] {
      TestMemory memory;
      char thumbprint[thumbprint_size];
      const CertificateThumbprint result = make_certificate_thumbprint(text, memory, thumbprint);
      EXPECT_NE(result, CertificateThumbprint::unreadable);
      return result == CertificateThumbprint::made;
    });
    EXPECT_GT(failures, 0);
  }
}

}  // namespace
}  // namespace jose
