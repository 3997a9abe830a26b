#include "random_id.h"

#include <openssl/rand.h>

#include <string_view>

#include "base64url.h"
#include "openssl.h"

namespace jose {

bool make_random_id(char *id) noexcept {
  char bits[16];
  static_assert(base64url_encoded_size(sizeof(bits)) == random_id_size);
  if (RAND_bytes(reinterpret_cast<unsigned char *>(bits), sizeof(bits)) != 1) {
    (void)take_openssl_error();
    return false;
  }
  base64url_encode({bits, sizeof(bits)}, id);
  return true;
}

}  // namespace jose
