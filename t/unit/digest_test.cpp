#include "jose/digest.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "test_openssl_memory.h"

namespace jose {
namespace {

using std::literals::operator""sv;

std::string key(const std::vector<std::string_view> &parts) {
  std::string hex(hex_digest_size, '?');
  EXPECT_TRUE(hex_digest({parts.data(), parts.size()}, hex.data()));
  return hex;
}

// Computed with Python: hashlib.sha256(b''.join(struct.pack('>Q', len(p)) + p for p in parts)).hexdigest(); the one of
// "abc" also with: printf '\0\0\0\0\0\0\0\3abc' | openssl dgst -sha256
TEST(Digest, HasKnownAnswers) {
  EXPECT_EQ(key({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(key({""}), "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
  EXPECT_EQ(key({std::string_view()}), "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
  EXPECT_EQ(key({"", ""}), "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb");
  EXPECT_EQ(key({"abc"}), "c3494ca1a2cf8eeb8a11ded316fb55b83c3bbbedb6313cd50415251e5d09e12f");
  EXPECT_EQ(key({"introspection", "token", "/_introspect"}),
            "6f1139af7aa7d6f2fa967265faf774a1dabedb3a5fccfad351083179ac623fdd");
  EXPECT_EQ(key({"a\0b"sv, std::string(300, '\xFF')}),
            "05176437031ba8c0d4945ec5da0a03d5f81c39ae51359d985f850919245f7d65");
}

TEST(Digest, DiffersForListsThatReadTheSameInOneRow) {
  const std::vector<std::vector<std::string_view>> lists = {
      {"abc"},         {"ab", "c"}, {"a", "bc"},     {"a", "b", "c"},         {"", "abc"},   {"abc", ""},
      {"", "ab", "c"}, {"cab"},     {"ab", "", "c"}, {"\0\0\0\0\0\0\0\1a"sv}, {"a", "\0"sv}, {"a\0"sv},
  };
  std::set<std::string> keys;
  for (const auto &list : lists) {
    keys.insert(key(list));
  }
  EXPECT_EQ(keys.size(), lists.size());
}

TEST(Digest, GoesOnBehindPartsThatHaveBeenPutBefore) {
  std::string begun(600, '?');
  Writer writer(begun.data());
  put_part(writer, "introspection");
  put_part(writer, std::string(300, 'x'));
  put_part(writer, "");
  begun.resize(writer.size());
  const std::string_view rest[] = {"token", "/_introspect"};
  std::string hex(hex_digest_size, '?');
  ASSERT_TRUE(hex_digest(begun, {rest, std::size(rest)}, hex.data()));
  EXPECT_EQ(hex, key({"introspection", std::string(300, 'x'), "", "token", "/_introspect"}));
}

TEST(Digest, WritesNoTerminator) {
  std::string hex(hex_digest_size + 1, '?');
  ASSERT_TRUE(hex_digest({}, hex.data()));
  EXPECT_EQ(hex.back(), '?');
}

TEST(Digest, FailsWithAnEmptyErrorQueueWhereOpensslHasNoMemory) {
  const std::string expected = key({"abc"});
  const int failures = count_failures_without_memory([&expected] {
    const std::string_view part = "abc";
    std::string hex(hex_digest_size, '?');
    const bool succeeded = hex_digest({&part, 1}, hex.data());
    EXPECT_TRUE(!succeeded || hex == expected);
    return succeeded;
  });
  EXPECT_GT(failures, 0);
}

}  // namespace
}  // namespace jose
