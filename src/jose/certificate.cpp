#include "certificate.h"

#include <openssl/evp.h>

#include <algorithm>
#include <climits>
#include <cstddef>

#include "percent.h"

namespace jose {
namespace {

using Result = CertificateThumbprint;

/// A `+` stands for itself: this is no form.
/// @param out room for text.size() characters.
/// @return how many were written; 0 where a `%` is not followed by two digits.
std::size_t decode(std::string_view text, char *out) noexcept {
  std::size_t size = 0;
  while (!text.empty()) {
    const int byte = percent_decode(text);
    if (byte < 0 && text[0] == '%') {
      return 0;
    }
    out[size++] = byte < 0 ? text[0] : static_cast<char>(byte);
    text.remove_prefix(byte < 0 ? 1 : percent_encoded_size);
  }
  return size;
}

/// @return how many `=` end the text. OpenSSL takes `=` for a digit, so that it must stand nowhere else.
std::size_t count_padding(std::string_view base64) noexcept {
  return base64.size() - (base64.find_last_not_of('=') + 1);
}

bool is_base64(std::string_view text) noexcept {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t padding = count_padding(text);
  return !text.empty() && text.size() <= INT_MAX && text.size() % 4 == 0 && padding <= 2 &&
         std::min(text.find_first_not_of(alphabet), text.size()) == text.size() - padding;
}

Result make_thumbprint_of_base64(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  if (!is_base64(text)) {
    return Result::unreadable;
  }
  auto *der = static_cast<unsigned char *>(memory.allocate(text.size()));
  if (der == nullptr) {
    return Result::failed;
  }
  const int decoded =
      EVP_DecodeBlock(der, reinterpret_cast<const unsigned char *>(text.data()), static_cast<int>(text.size()));
  const std::size_t size = static_cast<std::size_t>(decoded) - count_padding(text);
  return make_thumbprint({reinterpret_cast<const char *>(der), size}, thumbprint) ? Result::made : Result::failed;
}

/// RFC 9651 section 3.3.5, without parameters.
Result make_thumbprint_of_byte_sequence(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  return text.size() > 2 && text.back() == ':'
             ? make_thumbprint_of_base64(text.substr(1, text.size() - 2), memory, thumbprint)
             : Result::unreadable;
}

/// One block, without text around it, which RFC 7468 section 3 would allow: no terminator writes any.
Result make_thumbprint_of_pem(std::string_view pem, Memory &memory, char *thumbprint) noexcept {
  constexpr std::string_view begin_of_certificate = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view end_of_certificate = "-----END CERTIFICATE-----";
  constexpr std::string_view white_space = " \t\r\n\v\f";
  pem.remove_prefix(std::min(pem.find_first_not_of(white_space), pem.size()));
  const std::size_t end = pem.find(end_of_certificate);
  const bool is_block =
      pem.substr(0, begin_of_certificate.size()) == begin_of_certificate && end != std::string_view::npos;
  // A list may be one that a terminator has appended to, with the client's own at its beginning.
  if (!is_block || pem.find_first_not_of(white_space, end + end_of_certificate.size()) != std::string_view::npos) {
    return Result::unreadable;
  }
  const std::string_view block = pem.substr(begin_of_certificate.size(), end - begin_of_certificate.size());
  auto *base64 = static_cast<char *>(memory.allocate(block.size() + 1));
  if (base64 == nullptr) {
    return Result::failed;
  }
  const char *written = std::copy_if(block.begin(), block.end(), base64, [white_space](char c) noexcept {
    return white_space.find(c) == std::string_view::npos;
  });
  return make_thumbprint_of_base64({base64, static_cast<std::size_t>(written - base64)}, memory, thumbprint);
}

Result make_thumbprint_of_encoded_pem(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  auto *pem = static_cast<char *>(memory.allocate(text.size()));
  return pem == nullptr ? Result::failed : make_thumbprint_of_pem({pem, decode(text, pem)}, memory, thumbprint);
}

}  // namespace

CertificateThumbprint make_certificate_thumbprint(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  if (text.substr(0, 1) == ":") {
    return make_thumbprint_of_byte_sequence(text, memory, thumbprint);
  }
  return text.find('%') == std::string_view::npos ? make_thumbprint_of_pem(text, memory, thumbprint)
                                                  : make_thumbprint_of_encoded_pem(text, memory, thumbprint);
}

}  // namespace jose
