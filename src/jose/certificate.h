#pragma once

#include <string_view>

#include "memory.h"
#include "thumbprint.h"

namespace jose {

/// Writes the SHA-256 thumbprint of a certificate (RFC 7515 section 4.1.8, `x5t#S256`): that of its DER form.
/// @param text PEM (RFC 7468), of which the first certificate counts; PEM that is percent-encoded; or a byte sequence
/// of
///   HTTP's structured fields (RFC 9440 section 2.1), `:base64:`. What the DER says is not looked at.
/// @param thumbprint room for thumbprint_size characters; no terminator is added.
/// @return false where it is none of these, there is no memory, or OpenSSL fails; its error queue is empty then.
bool make_certificate_thumbprint(std::string_view text, Memory &memory, char *thumbprint) noexcept;

}  // namespace jose
