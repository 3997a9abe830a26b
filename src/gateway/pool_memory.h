#pragma once

#include "../oauth/memory.h"
#include "nginx.h"

namespace gateway {

/// oauth::Memory over an nginx pool, which frees it.
class PoolMemory final : public oauth::Memory {
 public:
  explicit PoolMemory(ngx_pool_t *pool) noexcept : pool_(pool) {}

  void *allocate(std::size_t size) noexcept override { return ngx_palloc(pool_, size); }

 private:
  ngx_pool_t *pool_;
};

/// @return a value-initialised T in the pool, or nullptr. Nothing will ever destroy it.
template <typename T>
T *make(ngx_pool_t *pool) noexcept {
  return PoolMemory(pool).make<T>();
}

}  // namespace gateway
