#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>

namespace jose {

/// No allocation of OpenSSL's fails.
constexpr int never = -1;

/// How many allocations of OpenSSL's succeed before each one fails, or never.
extern int allocations_left;

/// Whether OpenSSL's allocations can be made to fail at all.
extern const bool openssl_can_fail;

/// Lets OpenSSL have memory for no allocation, for one, for two and so on, until the work succeeds; what it leaves in
/// the error queue is a failure of the test.
/// @param work returns whether it has succeeded. It is done once before, since OpenSSL sets some things up only once.
/// @return how often it has failed.
template <typename Work>
int count_failures_without_memory(Work work) {
  EXPECT_TRUE(openssl_can_fail);
  EXPECT_TRUE(work());
  int failures = 0;
  for (bool succeeded = false; !succeeded; failures += succeeded ? 0 : 1) {
    allocations_left = failures;
    succeeded = work();
    allocations_left = never;
    EXPECT_EQ(ERR_peek_error(), 0U) << "after " << failures << " allocations";
    ERR_clear_error();
  }
  return failures;
}

}  // namespace jose
