#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

namespace jose {

/// Where parsed values live: memory that the caller owns and frees as a whole (nginx's request pool; an array in
/// tests).
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
