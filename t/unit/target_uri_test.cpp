#include "oauth/target_uri.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_memory.h"

namespace oauth {
namespace {

using namespace jose;

bool same(std::string_view one, std::string_view other) {
  TestMemory memory;
  const bool is_same = is_same_target(one, other, memory);
  EXPECT_EQ(is_same_target(other, one, memory), is_same) << one << ' ' << other;
  return is_same;
}

struct Pair {
  std::string_view one;
  std::string_view other;
};

TEST(TargetUri, IsTheSameAfterNormalisation) {
  const Pair pairs[] = {
      {"https://api.example.com/a", "https://api.example.com/a"},
      // RFC 9449 section 4.3: without query and fragment
      {"https://a/b?c=d", "https://a/b"},
      {"https://a/b#c", "https://a/b"},
      {"https://a/b?c#d", "https://a/b#e?f"},
      {"https://a?b", "https://a/"},
      {"https://a#b", "https://a"},
      {"https://a/b?c=http://d/e", "https://a/b"},
      // RFC 3986 section 6.2.2.1: case
      {"HTTPS://API.Example.COM/a", "https://api.example.com/a"},
      {"https://a/%c3%a9", "https://a/%C3%A9"},
      {"https://[2001:DB8::A]/", "https://[2001:db8::a]/"},
      {"https://%E4%B8%AD/", "https://%e4%b8%ad/"},
      // RFC 3986 section 6.2.2.2: what needs no encoding
      {"https://a/%61%7E%2D%2e%5F%30", "https://a/a~-._0"},
      {"https://a/%41%5a", "https://a/AZ"},
      {"https://%61%50i/", "https://api/"},
      // RFC 3986 section 6.2.2.3: dots, the examples of section 5.2.4 among them
      {"http://a/a/b/c/./../../g", "http://a/a/g"},
      {"http://a/mid/content=5/../6", "http://a/mid/6"},
      {"http://a/./b", "http://a/b"},
      {"http://a/b/.", "http://a/b/"},
      {"http://a/b/..", "http://a/"},
      {"http://a/b/c/..", "http://a/b/"},
      {"http://a/..", "http://a/"},
      {"http://a/../../b", "http://a/b"},
      {"http://a/.", "http://a"},
      {"http://a/%2E%2e/b", "http://a/b"},
      {"http://a/c/%2E./b/%2e", "http://a/b/"},
      // RFC 3986 section 6.2.3
      {"http://a:80/b", "http://a/b"},
      {"https://a:443/b", "https://a/b"},
      {"http://a:/b", "http://a/b"},
      {"https://a:", "https://a:443/"},
      {"http://[::1]:80", "http://[::1]/"},
      {"https://a", "https://a/"},
      {"http://a:8080", "HTTP://A:8080/"},
      // what nginx takes in a path and RFC 3986 does not allow there
      {"http://a/\xC3\xA9/../b", "http://a/b"},
      {"http://a/ b", "http://a/ b"},
      {"http://a/%", "http://a/./%"},
      {"http://a/%4", "http://a/./%4"},
      {"http://a/%zz", "http://a/./%zz"},
      {"http://a/%4g", "http://a/./%4g"},
      {"http://a/{\"}", "http://a/%2e/{\"}"},
  };
  for (const Pair &pair : pairs) {
    EXPECT_TRUE(same(pair.one, pair.other)) << pair.one << ' ' << pair.other;
  }
}

TEST(TargetUri, IsAnotherOne) {
  const Pair pairs[] = {
      {"https://a/b", "http://a/b"},
      {"https://a/b", "https://b/b"},
      {"https://a/b", "https://a/B"},
      {"https://a/b", "https://a/b/"},
      {"https://a/b", "https://a//b"},
      {"https://a/b", "https://a/bc"},
      {"https://a/", "https://a//"},
      {"https://a/b/", "https://a/b//"},
      {"https://a.example/", "https://a.example./"},
      {"https://a.example/", "https://a.example.org/"},
      {"https://a/b", "https://a:444/b"},
      {"http://a:443/b", "https://a:443/b"},
      {"http://a:443/", "http://a/"},
      {"https://a:80/", "https://a/"},
      {"http://a:8080/", "http://a:80/"},
      {"http://a:080/", "http://a/"},
      {"http://a:0080/", "http://a:80/"},
      {"http://[::80]/", "http://[:]/"},
      {"http://[::1]/", "http://[::2]/"},
      {"http://[::1]/", "http://[0:0:0:0:0:0:0:1]/"},
      {"http://127.0.0.1/", "http://localhost/"},
      // reserved characters stay encoded: RFC 3986 section 2.2
      {"https://a/b%2Fc", "https://a/b/c"},
      {"https://a/b%3Fc", "https://a/b?c"},
      {"https://a/b%23c", "https://a/b#c"},
      {"https://a/%3A", "https://a/:"},
      {"https://a/%21", "https://a/!"},
      {"https://a/%20", "https://a/ "},
      {"https://a/+", "https://a/%20"},
      {"https://a/%00", "https://a/"},
      {"https://a/%25", "https://a/%"},
      {"https://a/%2561", "https://a/a"},
      {"https://a/%2561", "https://a/%61"},
      {"https://a/%C3%A9", "https://a/\xC3\xA9"},
      {"https://a/b/..%2Fc", "https://a/c"},
      {"https://a/.b", "https://a/b"},
      {"https://a/..b", "https://a/b"},
      {"https://a/b..", "https://a/b"},
      {"https://a/.../b", "https://a/b"},
      {"https://a/b;/..", "https://a/b;"},
      {"https://a%2Eb/%2E", "https://a.c/"},
      {"https://a%3A443/", "https://a:443/"},
      {"https://a%2F/", "https://a//"},
  };
  for (const Pair &pair : pairs) {
    EXPECT_FALSE(same(pair.one, pair.other)) << pair.one << ' ' << pair.other;
  }
}

// The same text on both sides makes no target of it.
TEST(TargetUri, IsNoneWithoutASchemeAndAHostThatCanBeCompared) {
  for (const std::string_view text :
       {"", "a", "/", "/a", "//a/b", "?", "#", "://", "://a/", "http", "http:", "http:/", "http://", "http:///",
        "http:///a", "http://?a", "http://#", "http:a/b", "http:/a/b", "https:\\\\a/", "ftp://a/", "ws://a/",
        "httpss://a/", "xhttp://a/", " http://a/", "http ://a/", "http://a b/", "http://a\\b", "http://a\t/",
        // user information (RFC 9110 section 4.2.4)
        "http://u@a/", "http://u:p@a/", "http://@a/", "http://a@/", "http://u%40a@b/",
        // hosts that are no ASCII or hold what no host has
        "https://caf\xC3\xA9/", "https://a,b/", "https://a!/", "https://a%/", "https://a%4/", "https://a%g0/",
        "https://[/", "https://[]/", "https://]/", "https://[::1/", "https://[::1]a/", "https://[v1.a]/",
        "https://[::1%25eth0]/", "https://::1/", "https://[::1", "https://[g::]/",
        // ports
        "http://:80/", "http://:/", "http://a::/", "http://a:80:/", "http://a:8080:", "http://[::1]:80:/",
        "http://a:80:80/", "http://a:x/", "http://a:-1/", "http://a:123456/", "http://a: 80/", "http://a:80 /"}) {
    EXPECT_FALSE(is_target_uri(text)) << text;
    EXPECT_FALSE(same(text, text)) << text;
    EXPECT_FALSE(same(text, "http://a/")) << text;
  }
  EXPECT_FALSE(same(std::string_view("http://a\0/", 10), std::string_view("http://a\0/", 10)));
  EXPECT_FALSE(same(std::string_view("http://a/\0", 10), "http://a/"));
  EXPECT_TRUE(is_target_uri("HTTP://a:?b"));
  EXPECT_TRUE(is_target_uri("https://[::1]:443/a"));
}

// nginx serves these by another path than that of RFC 3986: it decodes `%2F` and merges slashes first.
TEST(TargetUri, IsNoneWhereDotSegmentsMeetOddSlashes) {
  for (const char *path : {"/admin%2Fx/../orders", "/admin%2fx/%2e%2e/orders", "/public//../orders", "/a//b/..",
                           "/a/..//b", "/..%2Fa", "/a%2F..", "/a/.%2Fb", "//.", "/%2F%2E%2e", "/a//./b"}) {
    EXPECT_FALSE(is_target_uri(std::string("https://a") + path)) << path;
  }
  for (const char *path : {"/a%2Fb", "/a//b", "/a/../b", "/a/./b", "//a...b", "/..a//b", "/a%2F...", "/.well-known//a",
                           "//", "/a%2Fb.c/d..e"}) {
    EXPECT_TRUE(is_target_uri(std::string("https://a") + path)) << path;
  }
}

TEST(TargetUri, TakesALongPath) {
  std::string path;
  for (int i = 0; i < 4000; ++i) {
    path += "/a/..";
  }
  EXPECT_TRUE(same("https://a" + path + "/b", "https://a/b"));
  EXPECT_FALSE(same("https://a" + path + "/b", "https://a/c"));
}

TEST(TargetUri, IsNoneWithoutMemory) {
  expect_refusal_without_memory(
      [](Memory &memory) { return is_same_target("https://a/./b", "https://A:443/b", memory); });
  TestMemory none(0);
  EXPECT_TRUE(is_same_target("https://a/b?c", "https://a/b#d", none)) << "no memory is needed where they are equal";
}

}  // namespace
}  // namespace oauth
