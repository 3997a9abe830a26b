// base64url: every text is accepted or refused as OpenSSL's decoder and the one encoding of its bytes say, and every
// sequence of bytes has exactly one text.

#include "jose/base64url.h"

#include <string>

#include "fuzz.h"
#include "oracle.h"

namespace {

std::optional<std::string> decode(std::string_view text) {
  const std::size_t size = jose::base64url_decoded_size(text.size());
  const std::unique_ptr<char[]> bytes(new char[size]);  // not a byte more than the contract asks for
  const bool good = jose::base64url_decode(text, bytes.get());
  REQUIRE(jose::base64url_decode(text, nullptr) == good);
  return good ? std::optional(std::string(bytes.get(), size)) : std::nullopt;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  const auto decoded = decode(text);
  REQUIRE(decoded == fuzz::decode_base64url(text));
  REQUIRE(!decoded || fuzz::encode_base64url(*decoded) == text);
  REQUIRE(decode(fuzz::encode_base64url(text)) == text);
  return 0;
}
