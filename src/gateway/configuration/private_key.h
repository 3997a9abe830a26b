#pragma once

#include <string_view>

#include "../../jose/signing_key.h"
#include "module_configuration.h"

/// Workers sign with the key that the master has read: OpenSSL's keys may be used in every process that has them.
struct phantom_token_private_key_s {
  jose::SigningKey key;
  const jose::SignatureAlgorithm *algorithm = nullptr;
  std::string_view kid;         ///< empty: none was given
  std::string_view thumbprint;  ///< RFC 7638
  std::string_view public_jwk;  ///< of a signing key: what phantom_token_jwks publishes
};

namespace gateway {

/// Reads the line FILE [alg=ALG] [kid=KID], and the file.
/// @return the key, which lives as long as the configuration; nullptr where it is refused, which has been logged, or
///   there is no memory.
phantom_token_private_key_t *read_private_key(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept;

}  // namespace gateway
