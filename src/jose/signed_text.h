#pragma once

#include <cstddef>
#include <string_view>

#include "base64url.h"
#include "signature_algorithm.h"

namespace jose {

/// The JWS signing input (RFC 7515 section 2) and the decoded signature of a JWT.
class SignedText {
 public:
  /// @param compact a JWT that parse_jwt() has accepted.
  /// @return false where the signature is longer than that of any supported key.
  bool read(std::string_view compact) noexcept {
    const std::size_t dot = compact.rfind('.');
    const std::string_view encoded = compact.substr(dot + 1);
    size_ = base64url_decoded_size(encoded.size());
    signed_part_ = compact.substr(0, dot);
    return size_ <= sizeof(signature_) && base64url_decode(encoded, signature_);
  }

  std::string_view signed_part() const noexcept { return signed_part_; }
  std::string_view signature() const noexcept { return {signature_, size_}; }

 private:
  std::string_view signed_part_;
  std::size_t size_ = 0;
  char signature_[largest_signature];
};

}  // namespace jose
