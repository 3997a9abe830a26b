#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../jose/base64url.h"
#include "../jose/digest.h"

namespace oauth {

/// How nonces are made that a server asks for in proofs (RFC 9449 section 9). A nonce is the time and its HMAC: whoever
/// has the secret knows it again, and nobody must remember it.
struct DpopNonces {
  std::string_view secret;    ///< empty: none are asked for
  std::int64_t lifetime = 0;  ///< seconds
};

constexpr std::size_t dpop_nonce_time_size = 8;
constexpr std::size_t dpop_nonce_size = jose::base64url_encoded_size(dpop_nonce_time_size + jose::sha256_size);

/// @param now seconds since the epoch.
/// @param nonce room for dpop_nonce_size characters; no terminator is added.
/// @return false where OpenSSL fails.
bool make_dpop_nonce(std::string_view secret, std::int64_t now, char *nonce) noexcept;

enum class NonceState : std::uint8_t {
  good,
  ageing,  ///< good, and past half its life: the next one is due
  bad,     ///< not made with this secret, old, or ahead
  failed,  ///< OpenSSL has failed
};

/// @param skew by how many seconds the clock of another server that has the secret may be ahead.
NonceState check_dpop_nonce(const DpopNonces &nonces, std::string_view nonce, std::int64_t now,
                            std::int64_t skew) noexcept;

}  // namespace oauth
