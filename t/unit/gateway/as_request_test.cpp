#include "gateway/subrequest/as_request.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "../test_memory.h"
#include "gateway/configuration/policy.h"
#include "nginx_stub.h"
#include "requests.h"

namespace gateway {
namespace {

using nginx_stub::Pool;

/// The parts in a row, each behind its length in eight bytes, as the contract on $phantom_token_key has it.
std::string row_of(const std::vector<std::string_view> &parts) {
  std::string bytes;
  for (const std::string_view part : parts) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(part.size() >> static_cast<unsigned>(shift) & 0xFFU);
    }
    bytes += part;
  }
  return bytes;
}

/// Hex SHA-256 over the parts.
std::string digest_of(const std::vector<std::string_view> &parts) {
  const std::string bytes = row_of(parts);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr), 1);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4U];
    hex += "0123456789abcdef"[digest[i] & 0xFU];
  }
  return hex;
}

std::string cache_key(Server &server, const std::vector<std::string_view> &location_parts, std::string_view endpoint,
                      std::string_view token) {
  Pool pool;
  const auto r = make_request(pool, server);
  std::string hex(jose::hex_digest_size + 1, '?');
  EXPECT_TRUE(make_cache_key(r.get(), row_of(location_parts), endpoint, token, hex.data()));
  EXPECT_EQ(hex.back(), '?');
  hex.pop_back();
  return hex;
}

TEST(MakeCacheKey, IsTheDigestOfTheLocationTheTokenTheEndpointAndTheServer) {
  Server server("api.example", "3");
  EXPECT_EQ(cache_key(server, {"introspection", "client"}, "/_introspect", "token"),
            digest_of({"introspection", "client", "token", "/_introspect", "api.example", "3"}));
  EXPECT_EQ(cache_key(server, {}, "", ""), digest_of({"", "", "api.example", "3"}));
}

TEST(MakeCacheKey, IsAnotherOneForEachOtherPart) {
  Server server("a", "0");
  Server other_name("b", "0");
  Server other_ordinal("a", "1");
  const std::set<std::string> keys = {
      cache_key(server, {"p", "q"}, "/e", "t"),     cache_key(server, {"pq"}, "/e", "t"),
      cache_key(server, {"q", "p"}, "/e", "t"),     cache_key(server, {"p", "q"}, "t", "/e"),
      cache_key(server, {"p", "q"}, "/e", "T"),     cache_key(server, {"p", "q"}, "/e?", "t"),
      cache_key(other_name, {"p", "q"}, "/e", "t"), cache_key(other_ordinal, {"p", "q"}, "/e", "t"),
      cache_key(server, {"p", "q", ""}, "/e", "t"),
  };
  EXPECT_EQ(keys.size(), 9U);
}

TEST(JwkSetKey, IsTheDigestOfTheEndpointAndTheServerAndNamesNoToken) {
  Server server("api.example", "3");
  Pool pool;
  AnswerKey key;
  ASSERT_TRUE(make_jwk_set_key(make_request(pool, server).get(), "/_jwks", key));
  EXPECT_EQ(key.fingerprint, digest_of({"jwks", "/_jwks", "api.example", "3"}));
  EXPECT_EQ(key.endpoint, "/_jwks");
  EXPECT_EQ(key.token, "");
  EXPECT_EQ(key.hash, 0U);
}

TEST(JwkSetKey, FailsWithoutMemory) {
  Server server("a", "0");
  jose::expect_refusal_without_memory<Pool>([&server](Pool &pool) {
    AnswerKey key;
    return make_jwk_set_key(make_request(pool, server).get(), "/_jwks", key);
  });
}

/// A location with all that a request depends on.
class Location {
 public:
  Location() {
    policy.token_request.endpoint = &endpoint;
    policy.token_request.accept = "application/jwt";
    policy.token_request.authorization = "Basic eA==";
    policy.token_request.body_prefix = "token=";
    policy.token_request.body_suffix = "&client_id=a";
    policy.token_request.body_has_secret = true;
    policy.token_request.cache_key_begin = cache_key_begin_;
    policy.requested_token_type = "urn:type";
    policy.jwt_members = {jwt_members_, 1};
    location.policy = &policy;
    location.jwks_endpoint = &endpoint;
    location.max_response_size = 1234;
  }
  Location(const Location &) = delete;
  Location &operator=(const Location &) = delete;

  void give_endpoint_variables() noexcept { endpoint.lengths = &lengths_; }

  ngx_http_complex_value_t endpoint = {};
  phantom_token_policy_t policy;
  phantom_token_location_t location = {};

 private:
  std::string cache_key_begin_ = row_of({"introspection", "client"});
  std::string_view jwt_members_[1] = {"jwt"};
  ngx_array_t lengths_ = {};
};

AnswerKey some_key() {
  return {"fingerprint", "/_introspect", "a+b", 7};
}

TEST(MakeTokenRequest, AsksWhatTheLocationSays) {
  Server server("a", "0");
  Location location;
  Pool pool;
  const AsRequest *request = make_token_request(make_request(pool, server).get(), location.location, some_key());
  ASSERT_NE(request, nullptr);
  const AsRequestTemplate &asked = request->asked;
  EXPECT_EQ(asked.kind, AsRequestKind::introspection);
  EXPECT_TRUE(asked.key == some_key());
  EXPECT_EQ(asked.accept, "application/jwt");
  EXPECT_EQ(asked.authorization, "Basic eA==");
  EXPECT_EQ(asked.max_response_size, 1234U);
  EXPECT_TRUE(asked.body_has_secret);
  EXPECT_FALSE(asked.endpoint_has_variables);
  EXPECT_FALSE(asked.bypasses_cache);
  EXPECT_FALSE(asked.feeds_hot_cache);
  EXPECT_EQ(asked.requested_token_type, "urn:type");
  EXPECT_EQ(asked.jwt_members.names.begin(), location.policy.jwt_members.begin());
  EXPECT_EQ(asked.inactive_statuses, &location.policy.inactive_statuses);
  EXPECT_TRUE(asked.is_about_token());
  EXPECT_EQ(request->running.progress, Progress::prepared);
}

TEST(MakeTokenRequest, TellsAnExchangeVariablesAndTheHotCache) {
  Server server("a", "0");
  Location location;
  ngx_shm_zone_t zone = {};
  location.policy.token_request.is_exchange = true;
  location.location.hot_cache = &zone;
  location.give_endpoint_variables();
  Pool pool;
  const AsRequest *request = make_token_request(make_request(pool, server).get(), location.location, some_key());
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->asked.kind, AsRequestKind::token_exchange);
  EXPECT_TRUE(request->asked.endpoint_has_variables);
  EXPECT_TRUE(request->asked.feeds_hot_cache);
  EXPECT_TRUE(request->asked.is_about_token());
}

TEST(MakeTokenRequest, FailsWithoutMemory) {
  Server server("a", "0");
  const Location location;
  jose::expect_refusal_without_memory<Pool>([&](Pool &pool) {
    return make_token_request(make_request(pool, server).get(), location.location, some_key()) != nullptr;
  });
}

TEST(PrepareTokenRequest, FillsInTheKeyAndTheFormEncodedToken) {
  Server server("a", "0");
  const Location location;
  Pool pool;
  const auto r = make_request(pool, server);
  AsRequest request;
  request.asked.key = some_key();
  EXPECT_EQ(prepare_token_request(r.get(), location.location, request).outcome, oauth::Outcome::active);
  EXPECT_EQ(request.asked.body, "token=a%2Bb&client_id=a");
  EXPECT_EQ(std::string_view(request.asked.cache_key, jose::hex_digest_size),
            digest_of({"introspection", "client", "a+b", "/_introspect", "a", "0"}));
}

/// The location's requests end with an assertion.
void add_client_assertion(Location &location) {
  TokenRequestTemplate &token_request = location.policy.token_request;
  token_request.body_suffix = "&client_assertion=";
  token_request.has_client_assertion = true;
  token_request.client_assertion = {{nullptr, nullptr, "secret"}, "", "gateway", "https://as.example"};
}

TEST(PrepareTokenRequest, SignsANewAssertionEachTime) {
  Server server("a", "0");
  Location location;
  add_client_assertion(location);
  Pool pool;
  const auto r = make_request(pool, server);
  AsRequest requests[2];
  for (AsRequest &request : requests) {
    request.asked.key = some_key();
    EXPECT_EQ(prepare_token_request(r.get(), location.location, request).outcome, oauth::Outcome::active);
    EXPECT_EQ(request.asked.client_assertion.substr(0, 3), "eyJ");
    EXPECT_EQ(request.asked.body, "token=a%2Bb&client_assertion=" + std::string(request.asked.client_assertion));
  }
  EXPECT_NE(requests[0].asked.client_assertion, requests[1].asked.client_assertion);
  EXPECT_EQ(std::string_view(requests[0].asked.cache_key, jose::hex_digest_size),
            std::string_view(requests[1].asked.cache_key, jose::hex_digest_size));
}

TEST(PrepareTokenRequest, RefusesWithoutMemoryForAnAssertion) {
  Server server("a", "0");
  Location location;
  add_client_assertion(location);
  jose::expect_refusal_without_memory<Pool>([&](Pool &pool) {
    AsRequest request;
    request.asked.key = some_key();
    const oauth::Verdict verdict = prepare_token_request(make_request(pool, server).get(), location.location, request);
    EXPECT_TRUE(verdict.outcome == oauth::Outcome::active || verdict.outcome == oauth::Outcome::internal_error);
    return verdict.outcome == oauth::Outcome::active;
  });
}

TEST(PrepareTokenRequest, RefusesWithoutMemory) {
  Server server("a", "0");
  const Location location;
  jose::expect_refusal_without_memory<Pool>([&](Pool &pool) {
    AsRequest request;
    request.asked.key = some_key();
    const oauth::Verdict verdict = prepare_token_request(make_request(pool, server).get(), location.location, request);
    EXPECT_EQ(verdict.problem == nullptr, verdict.outcome == oauth::Outcome::active);
    EXPECT_TRUE(verdict.outcome == oauth::Outcome::active || verdict.outcome == oauth::Outcome::internal_error);
    return verdict.outcome == oauth::Outcome::active;
  });
}

TEST(MakeJwkSetRequest, IsAGetWithItsKeyAsTheCacheKey) {
  Server server("a", "0");
  Location location;
  Pool pool;
  const auto r = make_request(pool, server);
  AnswerKey key;
  ASSERT_TRUE(make_jwk_set_key(r.get(), "/_jwks", key));
  for (const bool has_variables : {false, true}) {
    const AsRequest *request = make_jwk_set_request(r.get(), location.location, key);
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(request->asked.kind, AsRequestKind::jwk_set);
    EXPECT_FALSE(request->asked.is_about_token());
    EXPECT_EQ(request->asked.accept, "application/json");
    EXPECT_EQ(request->asked.authorization, "");
    EXPECT_EQ(request->asked.body, "");
    EXPECT_EQ(request->asked.max_response_size, 1234U);
    EXPECT_EQ(request->asked.endpoint_has_variables, has_variables);
    EXPECT_EQ(std::string_view(request->asked.cache_key, jose::hex_digest_size), key.fingerprint);
    location.give_endpoint_variables();
  }
}

TEST(MakeJwkSetRequest, FailsWithoutMemory) {
  Server server("a", "0");
  const Location location;
  const std::string fingerprint(jose::hex_digest_size, 'f');
  jose::expect_refusal_without_memory<Pool>([&](Pool &pool) {
    AnswerKey key;
    key.fingerprint = fingerprint;
    return make_jwk_set_request(make_request(pool, server).get(), location.location, key) != nullptr;
  });
}

ngx_int_t finish_of_another_module(ngx_http_request_t * /*r*/, void * /*data*/, ngx_int_t rc) {
  return rc;
}

/// A subrequest of ours, with a child as a background update of the cache is one, below a client's request.
struct Family {
  Family() {
    post_subrequest.handler = finish_as_request;
    post_subrequest.data = &request;
    ours->post_subrequest = &post_subrequest;
    ours->ctx = contexts;
    ours->parent = client.get();
    child->parent = ours.get();
  }

  AsRequest request;
  ngx_http_post_subrequest_t post_subrequest = {};
  void *contexts[2] = {};  // of ours, by module
  std::unique_ptr<ngx_http_request_t> client = std::make_unique<ngx_http_request_t>();
  std::unique_ptr<ngx_http_request_t> ours = std::make_unique<ngx_http_request_t>();
  std::unique_ptr<ngx_http_request_t> child = std::make_unique<ngx_http_request_t>();
};

TEST(AsRequestOf, KnowsASubrequestByItsHandler) {
  Family family;
  EXPECT_EQ(as_request_of(family.ours.get()), &family.request);
  EXPECT_EQ(as_request_of(family.client.get()), nullptr);
  EXPECT_EQ(as_request_of(family.child.get()), nullptr);
  EXPECT_EQ(as_request_above(family.ours.get()), &family.request);
  EXPECT_EQ(as_request_above(family.child.get()), &family.request);
  EXPECT_EQ(as_request_above(family.client.get()), nullptr);

  family.post_subrequest.handler = finish_of_another_module;
  EXPECT_EQ(as_request_of(family.ours.get()), nullptr);
  EXPECT_EQ(as_request_above(family.child.get()), nullptr);
}

TEST(FinishAsRequest, CallsWhatTheEndOfTheRequestLeadsTo) {
  Family family;
  family.request.running.finish = [](ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc) -> ngx_int_t {
    request.running.subrequest = subrequest;
    return rc + 1;
  };
  EXPECT_EQ(finish_as_request(family.ours.get(), &family.request, 502), 503);
  EXPECT_EQ(family.request.running.subrequest, family.ours.get());
}

TEST(IsRedirected, OnceItHasArrivedAndTheLocationHasBeenLeft) {
  Family family;
  for (const Progress progress : {Progress::prepared, Progress::sent, Progress::arrived, Progress::done}) {
    family.request.running.progress = progress;
    family.contexts[ngx_http_phantom_token_module.ctx_index] = &family.request;
    EXPECT_FALSE(is_redirected(family.ours.get(), family.request));
    family.contexts[ngx_http_phantom_token_module.ctx_index] = nullptr;  // ngx_http_internal_redirect() clears them
    EXPECT_EQ(is_redirected(family.ours.get(), family.request), progress == Progress::arrived);
  }
}

TEST(CheckCapture, AMisconfigurationComesBeforeEveryFault) {
  struct Case {
    CaptureFault fault;
    oauth::Outcome outcome;
  };
  const Case cases[] = {
      {CaptureFault::none, oauth::Outcome::active},
      {CaptureFault::given_up, oauth::Outcome::active},
      {CaptureFault::timed_out, oauth::Outcome::active},
      {CaptureFault::no_memory, oauth::Outcome::internal_error},
      {CaptureFault::redirected, oauth::Outcome::as_bad_response},
  };
  for (const Case &row : cases) {
    CapturedResponse captured;
    captured.fault = row.fault;
    const oauth::Verdict verdict = check_capture(captured);
    EXPECT_EQ(verdict.outcome, row.outcome) << static_cast<int>(row.fault);
    EXPECT_EQ(verdict.problem == nullptr, row.outcome == oauth::Outcome::active) << static_cast<int>(row.fault);

    captured.misconfiguration = "no proxy_cache_key";
    EXPECT_EQ(check_capture(captured).outcome, oauth::Outcome::misconfigured) << static_cast<int>(row.fault);
    EXPECT_EQ(check_capture(captured).problem, captured.misconfiguration);
  }
}

TEST(CacheUse, IsStaleWhereTheEntryHasEnded) {
  for (const ngx_uint_t status : {NGX_HTTP_CACHE_STALE, NGX_HTTP_CACHE_UPDATING}) {
    CacheUse cache;
    cache.status = status;
    EXPECT_TRUE(cache.is_stale()) << status;
  }
  for (const ngx_uint_t status : {0, NGX_HTTP_CACHE_MISS, NGX_HTTP_CACHE_EXPIRED, NGX_HTTP_CACHE_REVALIDATED,
                                  NGX_HTTP_CACHE_HIT, NGX_HTTP_CACHE_BYPASS, NGX_HTTP_CACHE_SCARCE}) {
    CacheUse cache;
    cache.status = status;
    EXPECT_FALSE(cache.is_stale()) << status;
  }
}

}  // namespace
}  // namespace gateway
