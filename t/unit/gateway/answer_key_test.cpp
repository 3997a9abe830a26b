#include "gateway/subrequest/answer_key.h"

#include <gtest/gtest.h>

namespace gateway {
namespace {

TokenRequestTemplate location_with(std::string_view fingerprint, std::uint32_t hash) {
  TokenRequestTemplate location;
  location.fingerprint = fingerprint;
  location.fingerprint_hash = hash;
  return location;
}

TEST(AnswerKey, IsOfTheLocationTheEndpointAndTheToken) {
  const AnswerKey key = make_answer_key(location_with("fingerprint", 0xF0), "/_introspect", "123");
  EXPECT_EQ(key.fingerprint, "fingerprint");
  EXPECT_EQ(key.endpoint, "/_introspect");
  EXPECT_EQ(key.token, "123");
  EXPECT_EQ(key.hash, 0xF0U ^ 3U);  // nginx_stub hashes by length
}

TEST(AnswerKey, IsNeverEqualByItsHashAlone) {
  const AnswerKey key = make_answer_key(location_with("one", 1), "/_introspect", "token");
  EXPECT_TRUE(key == make_answer_key(location_with("one", 1), "/_introspect", "token"));

  const AnswerKey others[] = {
      make_answer_key(location_with("two", 1), "/_introspect", "token"),
      make_answer_key(location_with("", 1), "/_introspect", "token"),
      make_answer_key(location_with("one", 1), "/_introspecT", "token"),
      make_answer_key(location_with("one", 1), "", "token"),
      make_answer_key(location_with("one", 1), "/_introspect", "tokeN"),
  };
  for (const AnswerKey &other : others) {
    EXPECT_EQ(other.hash, key.hash);
    EXPECT_FALSE(other == key) << other.fingerprint << other.endpoint << other.token;
    EXPECT_FALSE(key == other) << other.fingerprint << other.endpoint << other.token;
  }
}

TEST(AnswerKey, DiffersByItsHash) {
  EXPECT_FALSE(make_answer_key(location_with("one", 1), "/_introspect", "token") ==
               make_answer_key(location_with("one", 2), "/_introspect", "token"));
}

}  // namespace
}  // namespace gateway
