// The cache key: SHA-256 over the parts with their lengths, as one buffer in one call gives it; other boundaries
// between the same bytes give another key.

#include "jose/digest.h"

#include <openssl/sha.h>

#include <string>

#include "fuzz.h"
#include "oracle.h"

namespace {

std::string key_of(const std::vector<std::string_view> &parts) {
  std::string hex(jose::hex_digest_size, '\0');
  REQUIRE(jose::hex_digest(fuzz::strings(parts), hex.data()));
  return hex;
}

std::string expected_key(const std::vector<std::string_view> &parts) {
  std::string buffer;
  for (const std::string_view part : parts) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      buffer += static_cast<char>(part.size() >> shift & 0xFFU);
    }
    buffer += part;
  }
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char *>(buffer.data()), buffer.size(), hash);
  std::string hex;
  for (const unsigned char byte : hash) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    hex += digits;
  }
  return hex;
}

/// The lines of the input, empty ones too.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.push_back(line);
    if (line.size() == text.size()) {
      return lines;
    }
    text.remove_prefix(line.size() + 1);
  }
}

}  // namespace

// A part in each line.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  const std::vector<std::string_view> parts = lines_of(text);
  const std::string key = key_of(parts);
  REQUIRE(key == expected_key(parts));

  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::vector<std::string_view> moved = {text.substr(0, cut), text.substr(cut)};
    REQUIRE((key_of(moved) == key) == (moved == parts));
    if (cut == 64) {
      break;
    }
  }
  std::vector<std::string_view> longer = parts;
  longer.emplace_back();
  REQUIRE(key_of(longer) != key);
  return 0;
}
