#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jose {

inline std::string base64url(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string encoded;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8U | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
    }
    for (std::size_t k = 0; k <= group.size(); ++k) {
      encoded += alphabet[bits >> (18 - 6 * k) & 0x3FU];
    }
  }
  return encoded;
}

inline std::string make_jwt(std::string_view header, std::string_view claims, std::string_view signature = "c2ln") {
  return base64url(header) + "." + base64url(claims) + "." + std::string(signature);
}

inline std::string make_jwt(std::string_view claims) {
  return make_jwt(R"({"alg":"RS256"})", claims);
}

inline std::string make_envelope(std::string_view claims) {
  return make_jwt(R"({"typ":"token-introspection+jwt","alg":"RS256"})", claims);
}

}  // namespace jose
