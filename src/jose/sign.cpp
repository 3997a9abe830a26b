#include "sign.h"

#include "base64url.h"
#include "hmac.h"

namespace jose {
namespace {

/// Room for a signature.
struct Signature {
  char bytes[largest_signature];
  std::size_t size = 0;
};

bool sign_with_secret(std::string_view secret, std::string_view text, Signature &signature) noexcept {
  signature.size = sha256_size;
  return hmac_sha256(secret, text, reinterpret_cast<unsigned char *>(signature.bytes));
}

bool make_signature(const Signer &signer, std::string_view text, Signature &signature) noexcept {
  return signer.algorithm == nullptr ? sign_with_secret(signer.secret, text, signature)
                                     : sign(*signer.algorithm, *signer.key, text, signature.bytes, signature.size);
}

/// @return the end of what was written.
char *encode(std::string_view bytes, char *out) noexcept {
  base64url_encode(bytes, out);
  return out + base64url_encoded_size(bytes.size());
}

}  // namespace

std::string_view algorithm_name(const Signer &signer) noexcept {
  return signer.algorithm == nullptr ? "HS256" : name(*signer.algorithm);
}

bool make_compact_jws(const Signer &signer, std::string_view header, std::string_view payload, Memory &memory,
                      std::string_view &jws) noexcept {
  const std::size_t signed_size = base64url_encoded_size(header.size()) + 1 + base64url_encoded_size(payload.size());
  auto *text = static_cast<char *>(memory.allocate(signed_size + 1 + base64url_encoded_size(largest_signature)));
  if (text == nullptr) {
    return false;
  }
  char *end = encode(header, text);
  *end++ = '.';
  end = encode(payload, end);
  Signature signature;
  if (!make_signature(signer, {text, signed_size}, signature)) {
    return false;
  }
  *end++ = '.';
  end = encode({signature.bytes, signature.size}, end);
  jws = {text, static_cast<std::size_t>(end - text)};
  return true;
}

}  // namespace jose
