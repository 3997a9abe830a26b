#include "gateway/cache/parsed_answers.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "../test_jwt.h"
#include "../test_memory.h"
#include "jose/writer.h"
#include "nginx_stub.h"
#include "oauth/introspection.h"
#include "oauth/token_information_codec.h"

#if (NGX_HTTP_CACHE)

namespace gateway {
namespace {

using nginx_stub::Pool;

constexpr std::string_view jwt_members[] = {"jwt"};

std::string json_answer(std::string_view subject) {
  return R"({"active":true,"jwt":")" + jose::make_jwt("{}") + R"(","sub":")" + std::string(subject) + R"("})";
}

/// A request whose response has come out of proxy_cache.
class Cached {
 public:
  explicit Cached(std::string_view body) : body_(body) {
    request.asked.key.fingerprint = "fingerprint";
    request.captured.cache.status = NGX_HTTP_CACHE_HIT;
    request.captured.response.status = 200;
    request.captured.response.answered = true;
    request.captured.response.complete = true;
    request.captured.response.content_type = "application/json";
    request.captured.response.body = body_.data();
    request.captured.response.body_size = body_.size();
  }

  /// As the gateway reads a response: it is rewritten meanwhile.
  void read(Pool &pool) {
    request.interpreted.information =
        oauth::read_introspection(request.captured.response, {{jwt_members, 1}}, pool.memory);
    ASSERT_EQ(request.interpreted.information.outcome, oauth::Outcome::active);
    body_.data()[0] = '#';
  }

  AsRequest request;

 private:
  jose::TestText body_;
};

/// Each test begins and ends without answers, and with memory.
class ParsedAnswers : public ::testing::Test {
 protected:
  ~ParsedAnswers() override {
    nginx_stub::allow_heap_allocations(SIZE_MAX);
    forget_answers();
  }

  bool remember(std::string_view body) {
    Cached cached(body);
    ParsedAnswer *answer = reserve_answer(cached.request, nullptr);
    if (answer == nullptr) {
      return false;
    }
    cached.read(pool);
    remember_answer(*answer, cached.request, &pool);
    return is_known(body);
  }

  bool is_known(std::string_view body) { return is_known(Cached(body)); }

  bool is_known(const Cached &cached) {
    AnswerCopy copy;
    return recall_answer(cached.request, &pool, copy);
  }

  Pool pool;
};

TEST_F(ParsedAnswers, AreRecalledAsTheyWereRead) {
  const std::string body = json_answer("alice");
  ASSERT_TRUE(remember(body));

  AnswerCopy copy;
  ASSERT_TRUE(recall_answer(Cached(body).request, &pool, copy));
  EXPECT_EQ(copy.jwt, jose::make_jwt("{}"));
  EXPECT_EQ(copy.authorization, "Bearer " + jose::make_jwt("{}"));
  EXPECT_EQ(copy.authorization.data()[copy.authorization.size()], '\0');

  oauth::TokenInformation information;
  ASSERT_TRUE(oauth::unpack(copy.packed, copy.jwt, pool.memory, information));
  EXPECT_EQ(information.outcome, oauth::Outcome::active);
  EXPECT_NE(copy.packed.find("alice"), std::string_view::npos);
}

TEST_F(ParsedAnswers, AreUnknownBeforeTheyHaveBeenRead) {
  EXPECT_FALSE(is_known(json_answer("alice")));
  EXPECT_NE(reserve_answer(Cached(json_answer("alice")).request, nullptr), nullptr);
  EXPECT_FALSE(is_known(json_answer("alice")));
}

// nginx_stub gives bodies of one length one hash, and with it one place.
TEST_F(ParsedAnswers, OfTheSamePlaceAreToldApartByEachByte) {
  const std::string body = json_answer("alice");
  ASSERT_TRUE(remember(body));
  for (const std::size_t place : {std::size_t{0}, body.size() / 2, body.size() - 1}) {
    std::string other = body;
    other[place] ^= 1;
    EXPECT_FALSE(is_known(other)) << place;
  }
  EXPECT_FALSE(is_known(body.substr(0, body.size() - 1)));
  EXPECT_TRUE(is_known(body));
}

TEST_F(ParsedAnswers, TakeThePlaceOfOlderOnes) {
  ASSERT_TRUE(remember(json_answer("alice")));
  ASSERT_TRUE(remember(json_answer("bobby")));
  EXPECT_FALSE(is_known(json_answer("alice")));
  ASSERT_TRUE(remember(json_answer("another place")));
  EXPECT_TRUE(is_known(json_answer("bobby")));
  ASSERT_TRUE(remember(json_answer("alice")));
  EXPECT_FALSE(is_known(json_answer("bobby")));
}

TEST_F(ParsedAnswers, LoseTheirPlaceToOneThatIsNotAccepted) {
  ASSERT_TRUE(remember(json_answer("alice")));
  EXPECT_NE(reserve_answer(Cached(json_answer("bobby")).request, nullptr), nullptr);
  EXPECT_FALSE(is_known(json_answer("alice")));
  EXPECT_FALSE(is_known(json_answer("bobby")));
}

TEST_F(ParsedAnswers, AreOfTheirFingerprintAndContentType) {
  const std::string body = json_answer("alice");
  ASSERT_TRUE(remember(body));

  Cached other_fingerprint(body);
  other_fingerprint.request.asked.key.fingerprint = "fingerprinT";
  EXPECT_FALSE(is_known(other_fingerprint));
  Cached other_type(body);
  other_type.request.captured.response.content_type = "application/jwT";
  EXPECT_FALSE(is_known(other_type));
  Cached shifted(body);  // the same bytes in one row
  shifted.request.asked.key.fingerprint = "fingerprinta";
  shifted.request.captured.response.content_type = "pplication/json";
  EXPECT_FALSE(is_known(shifted));
}

TEST_F(ParsedAnswers, AreOnlyThoseThatCameWholeAndFreshOutOfTheCache) {
  struct Case {
    std::string_view name;
    void (*change)(AsRequest &request);
  };
  const Case cases[] = {
      {"no cache", [](AsRequest &request) { request.captured.cache.status = 0; }},
      {"miss", [](AsRequest &request) { request.captured.cache.status = NGX_HTTP_CACHE_MISS; }},
      {"stale", [](AsRequest &request) { request.captured.cache.status = NGX_HTTP_CACHE_STALE; }},
      {"updating", [](AsRequest &request) { request.captured.cache.status = NGX_HTTP_CACHE_UPDATING; }},
      {"another status", [](AsRequest &request) { request.captured.response.status = 201; }},
      {"incomplete", [](AsRequest &request) { request.captured.response.complete = false; }},
      {"too large", [](AsRequest &request) { request.captured.response.too_large = true; }},
      {"encoded", [](AsRequest &request) { request.captured.response.content_encoding = "gzip"; }},
      {"identity", [](AsRequest &request) { request.captured.response.content_encoding = "identity"; }},
  };
  const std::string body = json_answer("alice");
  ASSERT_TRUE(remember(body));
  for (const Case &row : cases) {
    Cached cached(body);
    row.change(cached.request);
    EXPECT_FALSE(is_known(cached)) << row.name;
    EXPECT_EQ(reserve_answer(cached.request, nullptr), nullptr) << row.name;
  }
  EXPECT_TRUE(is_known(body));
}

TEST_F(ParsedAnswers, AreNotKeptWhereTheyAreLarge) {
  const std::string fits = json_answer(std::string(2000, 'a'));
  EXPECT_TRUE(remember(fits));
  const std::string large = json_answer(std::string(2800, 'a'));
  EXPECT_FALSE(remember(large));
  EXPECT_FALSE(is_known(large));
  EXPECT_TRUE(is_known(fits));
}

TEST_F(ParsedAnswers, AreNotKeptWithoutMemoryOfTheProcess) {
  const std::string body = json_answer("alice");
  for (const std::size_t allowed : {0U, 1U}) {  // the places, and the bytes
    nginx_stub::allow_heap_allocations(allowed);
    EXPECT_FALSE(remember(body)) << allowed;
    EXPECT_FALSE(is_known(body)) << allowed;
    forget_answers();
  }
  nginx_stub::allow_heap_allocations(2);
  EXPECT_TRUE(remember(body));
}

TEST_F(ParsedAnswers, AreLostWhereALongerOneFindsNoMemoryInTheirPlace) {
  const std::string shorter = json_answer("alice");
  ASSERT_TRUE(remember(shorter));
  nginx_stub::allow_heap_allocations(0);
  const std::string longer = json_answer("alice" + std::string(1024, 'a'));  // as many places on
  EXPECT_FALSE(remember(longer));
  EXPECT_FALSE(is_known(longer));
  EXPECT_FALSE(is_known(shorter));
  nginx_stub::allow_heap_allocations(SIZE_MAX);
  EXPECT_TRUE(remember(shorter));
  EXPECT_TRUE(remember(longer));
}

TEST_F(ParsedAnswers, AreNeitherKeptNorRecalledWithoutMemoryOfTheRequest) {
  const std::string body = json_answer("alice");
  Cached cached(body);
  ParsedAnswer *answer = reserve_answer(cached.request, nullptr);
  ASSERT_NE(answer, nullptr);
  cached.read(pool);
  Pool empty(0);
  remember_answer(*answer, cached.request, &empty);
  EXPECT_FALSE(is_known(body));

  ASSERT_TRUE(remember(body));
  AnswerCopy copy;
  EXPECT_FALSE(recall_answer(Cached(body).request, &empty, copy));
  EXPECT_TRUE(copy.authorization.empty());
  EXPECT_TRUE(recall_answer(Cached(body).request, &pool, copy));
}

TEST_F(ParsedAnswers, AreForgottenAtTheEnd) {
  ASSERT_TRUE(remember(json_answer("alice")));
  forget_answers();
  EXPECT_FALSE(is_known(json_answer("alice")));
  forget_answers();
  EXPECT_TRUE(remember(json_answer("alice")));
}

}  // namespace
}  // namespace gateway

#endif
