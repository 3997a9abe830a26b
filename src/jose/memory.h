#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

namespace jose {

/// Where parsed values are put. The caller owns this memory and frees it as a whole; a request's pool is one.
class Memory {
 public:
  /// @param size bytes, not zero.
  /// @return memory aligned for any scalar type, or nullptr where there is none left. Never throws.
  virtual void *allocate(std::size_t size) noexcept = 0;

  /// @return a value-initialised T that nothing will ever destroy, or nullptr where there is no memory.
  template <typename T>
  T *make() noexcept {
    static_assert(std::is_trivially_destructible_v<T>, "the memory is freed without destructors");
    void *place = allocate(sizeof(T));
    return place == nullptr ? nullptr : new (place) T();
  }

 protected:
  ~Memory() = default;
};

}  // namespace jose
