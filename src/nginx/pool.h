#pragma once

#include <new>
#include <type_traits>

#include "nginx.h"

namespace nginx {

/// @return a value-initialised T in the pool, or nullptr where there is no memory. Nothing will ever destroy it.
template <typename T>
T *make(ngx_pool_t *pool) noexcept {
  static_assert(std::is_trivially_destructible_v<T>, "the pool is freed without destructors");
  void *place = ngx_palloc(pool, sizeof(T));
  return place == nullptr ? nullptr : new (place) T();
}

}  // namespace nginx
