#include "base64.h"

#include <openssl/evp.h>

namespace jose {

void base64_encode(std::string_view bytes, char *out) noexcept {
  EVP_EncodeBlock(reinterpret_cast<unsigned char *>(out), reinterpret_cast<const unsigned char *>(bytes.data()),
                  static_cast<int>(bytes.size()));
}

}  // namespace jose
