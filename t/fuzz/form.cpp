// Form encoding, and the client's credentials made with it: what is decoded is what was encoded, and no value can end
// itself or begin another.

#include "oauth/form.h"

#include <openssl/evp.h>

#include <string>

#include "fuzz.h"
#include "oauth/client_authentication.h"

namespace {

std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      REQUIRE(i + 2 < text.size());
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

void check_encoding(std::string_view text) {
  std::string encoded(oauth::form_encoded_size(text), '\0');
  REQUIRE(oauth::form_encode(encoded.data(), text) == encoded.data() + encoded.size());
  REQUIRE(encoded.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*%+") ==
          std::string::npos);
  REQUIRE(decode(encoded) == text);
}

std::string decode_basic(std::string_view value) {
  REQUIRE(value.substr(0, 6) == "Basic ");
  value.remove_prefix(6);
  std::string bytes(value.size() / 4 * 3 + 1, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char *>(bytes.data()),
                      reinterpret_cast<const unsigned char *>(value.data()), static_cast<int>(value.size()));
  REQUIRE(size >= 0);
  bytes.resize(static_cast<std::size_t>(size) - (value.size() - std::min(value.find('='), value.size())));
  return bytes;
}

void check_basic(std::string_view id, std::string_view secret) {
  fuzz::Memory memory;
  std::string_view value;
  REQUIRE(oauth::write_basic_authorization({id, secret, oauth::ClientAuthentication::basic}, memory, value));
  const std::string both = decode_basic(value);
  REQUIRE(decode(both.substr(0, both.find(':'))) == id);
  REQUIRE(decode(both.substr(both.find(':') + 1)) == secret);
  REQUIRE(oauth::write_basic_authorization({id, secret, oauth::ClientAuthentication::basic_raw}, memory, value));
  REQUIRE(decode_basic(value) == std::string(id) + ":" + std::string(secret));
}

void check_post(std::string_view id, std::string_view secret) {
  fuzz::Memory memory;
  std::string_view text;
  REQUIRE(jose::write_text(
      memory,
      [&](jose::Writer &writer) {
        oauth::put_client_parameters(writer, {id, secret, oauth::ClientAuthentication::post});
      },
      text));
  const auto parameters = fuzz::split(text, '&');
  REQUIRE(parameters.size() == 2);
  REQUIRE(decode(parameters[0]) == "client_id=" + std::string(id));
  REQUIRE(decode(parameters[1]) == "client_secret=" + std::string(secret));
}

}  // namespace

// A line with the client's id, then its secret.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  check_encoding(input.rest());
  const std::string_view id = input.line();
  if (!id.empty()) {
    check_basic(id, input.rest());
    check_post(id, input.rest());
  }
  return 0;
}
