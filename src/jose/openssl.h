#pragma once

#include <openssl/err.h>

#include <cstdint>

namespace jose {

/// For std::unique_ptr: frees an object of OpenSSL's by the function that its documentation names.
template <auto release>
struct Release {
  template <typename T>
  void operator()(T *object) const noexcept {
    release(object);
  }
};

enum class OpensslError : std::uint8_t {
  none,
  no_memory,  ///< whatever else OpenSSL says, it is no answer
  other,
};

/// Empties OpenSSL's error queue of this thread: what is left in it, nginx would log against the next TLS connection.
/// @return what the queue held. A failed allocation is ERR_R_MALLOC_FAILURE, or ERR_R_INTERNAL_ERROR where OpenSSL 3
/// does not look why a function of its own has failed (EVP_PKEY_set_type_by_keymgmt()).
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
