#include "test_openssl_memory.h"

#include <openssl/crypto.h>

#include <cstdlib>

namespace jose {

int allocations_left = never;

namespace {

bool may_allocate() {
  return allocations_left == never || (allocations_left > 0 && allocations_left-- > 0);
}

void *allocate(std::size_t size, const char * /*file*/, int /*line*/) {
  return may_allocate() ? std::malloc(size) : nullptr;
}

void *reallocate(void *place, std::size_t size, const char * /*file*/, int /*line*/) {
  return may_allocate() ? std::realloc(place, size) : nullptr;
}

void release(void *place, const char * /*file*/, int /*line*/) {
  std::free(place);
}

}  // namespace

// OpenSSL takes this only before its first allocation.
const bool openssl_can_fail = CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;

}  // namespace jose
