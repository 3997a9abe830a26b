#pragma once

#include <openssl/err.h>

#include <cstdint>

namespace oauth {

enum class OpensslError : std::uint8_t {
  none,
  no_memory,  ///< whatever else OpenSSL says, it is no answer
  other,
};

/// Empties OpenSSL's error queue of this thread: what is left in it, nginx would log against the next TLS connection.
/// @return what the queue held. OpenSSL 3 has no code of its own for a failed allocation but ERR_R_MALLOC_FAILURE.
inline OpensslError take_openssl_error() noexcept {
  OpensslError result = OpensslError::none;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    const bool is_memory = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    result = is_memory || result == OpensslError::no_memory ? OpensslError::no_memory : OpensslError::other;
  }
  return result;
}

}  // namespace oauth
