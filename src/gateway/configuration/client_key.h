#pragma once

#include <string_view>

#include "../../jose/signing_key.h"
#include "module_configuration.h"

/// Workers sign with the key that the master has read: OpenSSL's keys may be used in every process that has them.
struct phantom_token_private_key_s {
  jose::SigningKey key;
  const jose::SignatureAlgorithm *algorithm = nullptr;
  std::string_view kid;  ///< empty: none was given
};
