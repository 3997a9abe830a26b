#pragma once

#include <cstdint>
#include <string_view>

#include "memory.h"
#include "thumbprint.h"

namespace jose {

enum class CertificateThumbprint : std::uint8_t {
  made,
  unreadable,  ///< the text holds no certificate
  failed,      ///< there is no memory, or OpenSSL has failed
};

/// Writes the SHA-256 thumbprint of a certificate (RFC 7515 section 4.1.8, `x5t#S256`): that of its DER form. OpenSSL's
/// error queue is empty afterwards.
/// @param text PEM (RFC 7468) of one certificate, with nothing around it; the same percent-encoded; or a byte
///   sequence of HTTP's structured fields (RFC 9440 section 2.1), `:base64:`. What the DER says is not looked at.
/// @param thumbprint room for thumbprint_size characters; no terminator is added. Set where the result is made.
CertificateThumbprint make_certificate_thumbprint(std::string_view text, Memory &memory, char *thumbprint) noexcept;

}  // namespace jose
