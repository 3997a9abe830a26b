#include "certificate.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <climits>
#include <memory>

#include "openssl.h"

namespace jose {
namespace {

using Bio = std::unique_ptr<BIO, Release<BIO_free_all>>;

struct FreeByOpenssl {
  void operator()(void *memory) const noexcept { OPENSSL_free(memory); }
};

template <typename T>
using Allocated = std::unique_ptr<T, FreeByOpenssl>;

bool make_thumbprint_of_pem(std::string_view pem, char *thumbprint) noexcept {
  const Bio bio(pem.size() > INT_MAX ? nullptr : BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char *name = nullptr;
  char *header = nullptr;
  unsigned char *der = nullptr;
  long size = 0;
  if (bio == nullptr || PEM_read_bio(bio.get(), &name, &header, &der, &size) != 1) {
    return false;
  }
  const Allocated<char> owned_name(name);
  const Allocated<char> owned_header(header);
  const Allocated<unsigned char> owned_der(der);
  return std::string_view(name) == PEM_STRING_X509 &&
         make_thumbprint({reinterpret_cast<const char *>(der), static_cast<std::size_t>(size)}, thumbprint);
}

/// @return the value of a hexadecimal digit, or -1.
int digit(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Decodes RFC 3986 section 2.1. A `+` stands for itself: this is no form.
/// @param out room for text.size() characters.
/// @return how many were written; 0 where a `%` is not followed by two digits.
std::size_t percent_decode(std::string_view text, char *out) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out[size++] = text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : digit(text[i + 2]);
    if (low < 0) {
      return 0;
    }
    out[size++] = static_cast<char>(high * 16 + low);
    i += 2;
  }
  return size;
}

bool make_thumbprint_of_encoded_pem(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  auto *pem = static_cast<char *>(memory.allocate(text.size()));
  return pem != nullptr && make_thumbprint_of_pem({pem, percent_decode(text, pem)}, thumbprint);
}

/// RFC 9651 section 3.3.5, without parameters.
bool make_thumbprint_of_byte_sequence(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  if (text.size() < 3 || text.back() != ':') {
    return false;
  }
  const std::string_view encoded = text.substr(1, text.size() - 2);
  const std::size_t padding = encoded.size() - (encoded.find_last_not_of('=') + 1);
  auto *der = static_cast<unsigned char *>(memory.allocate(encoded.size()));
  if (der == nullptr || encoded.size() % 4 != 0 || padding > 2 || encoded.size() > INT_MAX) {
    return false;
  }
  const int size =
      EVP_DecodeBlock(der, reinterpret_cast<const unsigned char *>(encoded.data()), static_cast<int>(encoded.size()));
  return size > static_cast<int>(padding) &&
         make_thumbprint({reinterpret_cast<const char *>(der), static_cast<std::size_t>(size) - padding}, thumbprint);
}

}  // namespace

bool make_certificate_thumbprint(std::string_view text, Memory &memory, char *thumbprint) noexcept {
  bool is_made = false;
  if (text.empty()) {
    return false;
  }
  if (text.front() == ':') {
    is_made = make_thumbprint_of_byte_sequence(text, memory, thumbprint);
  } else {
    is_made = text.find('%') != std::string_view::npos ? make_thumbprint_of_encoded_pem(text, memory, thumbprint)
                                                       : make_thumbprint_of_pem(text, thumbprint);
  }
  (void)take_openssl_error();
  return is_made;
}

}  // namespace jose
