#include "dpop_nonce.h"

#include "../jose/hmac.h"

namespace oauth {
namespace {

/// Before the time, so that what the secret signs for another purpose is no nonce.
constexpr std::string_view purpose = "DPoP-Nonce";

constexpr unsigned byte_bits = 8;
constexpr std::uint64_t byte_mask = 0xFF;

bool make_mac(std::string_view secret, std::string_view time, unsigned char *mac) noexcept {
  char text[purpose.size() + dpop_nonce_time_size];
  purpose.copy(text, purpose.size());
  time.copy(text + purpose.size(), dpop_nonce_time_size);
  return jose::hmac_sha256(secret, {text, sizeof(text)}, mac);
}

std::int64_t read_time(std::string_view bytes) noexcept {
  std::uint64_t time = 0;
  for (const char byte : bytes) {
    time = time << byte_bits | static_cast<unsigned char>(byte);
  }
  return static_cast<std::int64_t>(time);
}

NonceState judge(const DpopNonces &nonces, std::int64_t made, std::int64_t now, std::int64_t skew) noexcept {
  const std::int64_t age = now - made;
  if (age < -skew || age >= nonces.lifetime) {
    return NonceState::bad;
  }
  return age > nonces.lifetime / 2 ? NonceState::ageing : NonceState::good;
}

}  // namespace

bool make_dpop_nonce(std::string_view secret, std::int64_t now, char *nonce) noexcept {
  char bytes[dpop_nonce_time_size + jose::sha256_size];
  for (std::size_t i = 0; i < dpop_nonce_time_size; ++i) {
    bytes[i] =
        static_cast<char>(static_cast<std::uint64_t>(now) >> byte_bits * (dpop_nonce_time_size - 1 - i) & byte_mask);
  }
  if (!make_mac(secret, {bytes, dpop_nonce_time_size},
                reinterpret_cast<unsigned char *>(bytes) + dpop_nonce_time_size)) {
    return false;
  }
  jose::base64url_encode({bytes, sizeof(bytes)}, nonce);
  return true;
}

NonceState check_dpop_nonce(const DpopNonces &nonces, std::string_view nonce, std::int64_t now,
                            std::int64_t skew) noexcept {
  char bytes[dpop_nonce_time_size + jose::sha256_size];
  if (nonce.size() != dpop_nonce_size || !jose::base64url_decode(nonce, bytes)) {
    return NonceState::bad;
  }
  const std::string_view time(bytes, dpop_nonce_time_size);
  unsigned char mac[jose::sha256_size];
  if (!make_mac(nonces.secret, time, mac)) {
    return NonceState::failed;
  }
  const std::string_view expected(reinterpret_cast<const char *>(mac), sizeof(mac));
  const bool is_ours = jose::equal_in_constant_time({bytes + dpop_nonce_time_size, jose::sha256_size}, expected);
  return is_ours ? judge(nonces, read_time(time), now, skew) : NonceState::bad;
}

}  // namespace oauth
