#include "oauth/http_url.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace oauth {
namespace {

struct Good {
  std::string_view url, origin, path, query;
};

TEST(HttpUrl, IsTakenApart) {
  constexpr Good rows[] = {
      {"https://api.example.com", "https://api.example.com", "", ""},
      {"https://api.example.com/", "https://api.example.com", "/", ""},
      {"http://a/b/c/", "http://a", "/b/c/", ""},
      {"HTTPS://A.example:8443/B", "HTTPS://A.example:8443", "/B", ""},
      {"https://a?x=1", "https://a", "", "?x=1"},
      {"https://a/?", "https://a", "/", "?"},
      {"https://a/b?x=/?y", "https://a", "/b", "?x=/?y"},
      {"https://[::1]", "https://[::1]", "", ""},
      {"https://[2001:db8::192.0.2.1]:443/b", "https://[2001:db8::192.0.2.1]:443", "/b", ""},
      {"http://127.0.0.1:80", "http://127.0.0.1:80", "", ""},
      {"https://x_1-y~.example/", "https://x_1-y~.example", "/", ""},
      {"https://b%C3%BCcher.example/%20", "https://b%C3%BCcher.example", "/%20", ""},
      {"https://a/-._~!$&'()*+,;=:@", "https://a", "/-._~!$&'()*+,;=:@", ""},
  };
  for (const Good &row : rows) {
    HttpUrl url;
    ASSERT_TRUE(parse_http_url(row.url, url)) << row.url;
    EXPECT_EQ(url.origin, row.origin);
    EXPECT_EQ(url.path, row.path);
    EXPECT_EQ(url.query, row.query);
  }
}

TEST(HttpUrl, IsNothingElse) {
  constexpr std::string_view rows[] = {
      "",
      "https",
      "https:",
      "https:/a",
      "https://",
      "https:///a",
      "https://?a",
      "https://:443",
      "//a/b",
      "/b",
      "a.example",
      "ftp://a",
      "httpss://a",
      " https://a",
      "https://a ",
      "https://a b",
      "https://a/b c",
      "https://a#",
      "https://a/b#c",
      "https://a?b#c",
      "https://user@a",
      "https://user:word@a/",
      "https://a:",
      "https://a:b",
      "https://a:1:2",
      "https://a:123456",
      "https://a:-1",
      "https://[::1",
      "https://[]",
      "https://[]:1",
      "https://[::1]a",
      "https://[::g]",
      "https://[::1]]",
      "https://::1",
      "https://]",
      "https://a/[b]",
      "https://a?b[]=1",
      "https://$host/",
      "https://a,b/",
      "https://a/%",
      "https://a/%2",
      "https://a/%2g",
      "https://a/%g2",
      "https://a%/",
      "https://a/\"",
      "https://a/\\",
      "https://a/<",
      "https://a/{b}",
      "https://a/|",
      "https://a/^",
      "https://a/`",
      "https://a/\n",
      "https://a/\t",
      "https://a\r\n",
      "https://a/\x7F",
      "https://a/\xC3\xA4",
      "https://\xC3\xA4/",
      "https://a?\xFF",
      {"https://a/\0", 11},
      {"https://a\0", 10},
  };
  for (const std::string_view row : rows) {
    HttpUrl url;
    EXPECT_FALSE(parse_http_url(row, url)) << row;
  }
}

TEST(HttpUrl, IsReadNoFurtherThanItGoes) {
  const std::string text = "https://[::1]:443/a%20b?c%20d";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string piece = text.substr(0, size);  // a text of its own, for AddressSanitizer
    HttpUrl url;
    if (parse_http_url(piece, url)) {
      EXPECT_EQ(std::string(url.origin) + std::string(url.path) + std::string(url.query), piece);
    }
  }
}

}  // namespace
}  // namespace oauth
