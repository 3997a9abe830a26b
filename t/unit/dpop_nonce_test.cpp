#include "oauth/dpop_nonce.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>

#include "jose/hmac.h"
#include "test_jwt.h"
#include "test_openssl_memory.h"

namespace oauth {
namespace {

using namespace jose;

constexpr std::string_view secret = "a secret of 32 bytes, or of more";
constexpr std::int64_t now = 1700000000;

std::string make(std::int64_t time, std::string_view with = secret) {
  std::string nonce(dpop_nonce_size + 1, '?');
  EXPECT_TRUE(make_dpop_nonce(with, time, nonce.data()));
  EXPECT_EQ(nonce.back(), '?') << "no terminator";
  nonce.pop_back();
  return nonce;
}

NonceState check(std::string_view nonce, std::int64_t at = now, std::int64_t skew = 5, std::int64_t lifetime = 300) {
  return check_dpop_nonce({secret, lifetime}, nonce, at, skew);
}

TEST(DpopNonce, IsTheTimeAndItsHmac) {
  const std::string time("\0\0\0\0\x65\x53\xF1\0", 8);  // 1700000000
  unsigned char mac[sha256_size];
  ASSERT_TRUE(hmac_sha256(secret, "DPoP-Nonce" + time, mac));
  EXPECT_EQ(make(now), base64url(time + std::string(reinterpret_cast<const char *>(mac), sizeof(mac))));
  EXPECT_EQ(make(now), make(now));
}

TEST(DpopNonce, DiffersBySecretAndBySecond) {
  std::set<std::string> nonces;
  for (std::int64_t time = now; time < now + 100; ++time) {
    nonces.insert(make(time));
    nonces.insert(make(time, "another secret of 32 bytes or so"));
  }
  EXPECT_EQ(nonces.size(), 200U);
}

// RFC 9449 section 8.1: NQCHAR, and 8.2: it may have been issued by another gateway.
TEST(DpopNonce, AgesAndEnds) {
  const struct {
    std::int64_t age;
    NonceState state;
  } cases[] = {
      {0, NonceState::good},  {150, NonceState::good}, {151, NonceState::ageing},   {299, NonceState::ageing},
      {300, NonceState::bad}, {301, NonceState::bad},  {100'000, NonceState::bad},  {-1, NonceState::good},
      {-5, NonceState::good}, {-6, NonceState::bad},   {-100'000, NonceState::bad},
  };
  const std::string nonce = make(now);
  EXPECT_EQ(nonce.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  for (const auto &test : cases) {
    EXPECT_EQ(check(nonce, now + test.age), test.state) << test.age;
  }
  EXPECT_EQ(check(nonce, now - 60, 60), NonceState::good);
  EXPECT_EQ(check(nonce, now - 61, 60), NonceState::bad);
  EXPECT_EQ(check(nonce, now + 1, 5, 1), NonceState::bad);
  EXPECT_EQ(check(nonce, now, 5, 1), NonceState::good);
  EXPECT_EQ(check(nonce, now + 1, 5, 2), NonceState::good);
  EXPECT_EQ(check(nonce, now + 2, 5, 3), NonceState::ageing);
}

TEST(DpopNonce, IsOfAnyTime) {
  using Limits = std::numeric_limits<std::int64_t>;
  for (const std::int64_t time : {std::int64_t{0}, std::int64_t{1}, std::int64_t{255}, std::int64_t{256},
                                  std::int64_t{-1}, Limits::max() - 300, Limits::min() + 300}) {
    EXPECT_EQ(check(make(time), time), NonceState::good) << time;
    EXPECT_EQ(check(make(time), time + 200), NonceState::ageing) << time;
  }
}

TEST(DpopNonce, IsOnlyWhatWasMade) {
  const std::string nonce = make(now);
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    std::string other = nonce;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(check(other), NonceState::bad) << i;
  }
  for (const std::string &other :
       {std::string(), nonce.substr(1), nonce.substr(0, nonce.size() - 1), nonce + "A", nonce + "=", " " + nonce,
        std::string(dpop_nonce_size, 'A'), std::string(dpop_nonce_size, '\0'), std::string(dpop_nonce_size, '='),
        make(now, "another secret of 32 bytes or so"), make(now, secret.substr(1)), make(now + 6), make(now - 300)}) {
    EXPECT_EQ(check(other), NonceState::bad) << other;
  }
}

// Another purpose of the same secret, or of a key file that a server reads twice: no nonce comes of it.
TEST(DpopNonce, IsNoOtherHmacOfTheSecret) {
  const std::string time("\0\0\0\0\x65\x53\xF1\0", 8);
  for (const std::string_view purpose : {"", "DPoP", "dpop-nonce", "DPoP-Nonce "}) {
    unsigned char mac[sha256_size];
    ASSERT_TRUE(hmac_sha256(secret, std::string(purpose) + time, mac));
    const std::string nonce = base64url(time + std::string(reinterpret_cast<const char *>(mac), sizeof(mac)));
    EXPECT_EQ(check(nonce), NonceState::bad) << purpose;
  }
}

TEST(DpopNonce, IsNeitherMadeNorJudgedWhereOpensslHasNoMemory) {
  const std::string nonce = make(now);
  EXPECT_GT(count_failures_without_memory([&nonce] {
              std::string made(dpop_nonce_size, '?');
              const bool succeeded = make_dpop_nonce(secret, now, made.data());
              EXPECT_TRUE(!succeeded || made == nonce);
              return succeeded;
            }),
            0);
  EXPECT_GT(count_failures_without_memory([&nonce] {
              const NonceState state = check(nonce);
              EXPECT_TRUE(state == NonceState::good || state == NonceState::failed);
              return state == NonceState::good;
            }),
            0);
}

}  // namespace
}  // namespace oauth
