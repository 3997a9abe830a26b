#pragma once

#include <openssl/err.h>

#include <cstdint>

namespace jose {

/// A deleter for std::unique_ptr that frees an object of OpenSSL by the function given.
template <auto release>
struct Release {
  template <typename T>
  void operator()(T *object) const noexcept {
    release(object);
  }
};

enum class OpensslError : std::uint8_t {
  none,
  no_memory,  ///< an allocation failed, whatever other errors there are: what was asked is not known
  other,
};

/// Empties OpenSSL's error queue of this thread. Whatever is left in it, nginx logs with the next TLS connection.
/// @return what the queue held. A failed allocation is ERR_R_MALLOC_FAILURE; or ERR_R_INTERNAL_ERROR, where OpenSSL 3
///   drops the reason for which a function of its own has failed, as it does with EVP_PKEY_set_type_by_keymgmt().
inline OpensslError take_openssl_error() noexcept {
  OpensslError result = OpensslError::none;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    const int reason = ERR_GET_REASON(code);
    const bool is_memory = reason == ERR_R_MALLOC_FAILURE || reason == ERR_R_INTERNAL_ERROR;
    result = is_memory || result == OpensslError::no_memory ? OpensslError::no_memory : OpensslError::other;
  }
  return result;
}

}  // namespace jose
