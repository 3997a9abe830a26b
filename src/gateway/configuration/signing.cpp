#include "signing.h"

#include "../../jose/digest.h"
#include "../../jose/json_writer.h"
#include "../../nginx/strings.h"

namespace gateway {
namespace {

void put_list(jose::Writer &writer, jose::Strings list) noexcept {
  jose::put_json_number(writer, static_cast<std::int64_t>(list.count));
  for (const std::string_view item : list) {
    jose::put_part(writer, item);
  }
}

/// All that a JWT depends on beside the token and the time.
void put_settings(jose::Writer &writer, const oauth::SignedJwtTemplate &jwt, std::string_view thumbprint) noexcept {
  for (const std::string_view part : {algorithm_name(jwt.signer), thumbprint, jwt.kid, jwt.issuer}) {
    jose::put_part(writer, part);
  }
  put_list(writer, jwt.audiences);
  put_list(writer, jwt.claims);
  put_list(writer, jwt.jwt_members);
  jose::put_json_number(writer, jwt.lifetime);
}

}  // namespace

bool make_signing_settings(const phantom_token_location_t &location, jose::Memory &memory,
                           SigningSettings &settings) noexcept {
  const SigningKeys keys = signing_keys(location.signing_keys);
  if (location.forward != PHANTOM_TOKEN_FORWARD_SIGN || keys.empty()) {
    return true;
  }
  const phantom_token_private_key_t &key = **keys.begin();
  settings.jwt.signer = {key.algorithm, key.key.key, {}};
  settings.jwt.kid = key_id(key);
  settings.jwt.issuer = to_view(location.signed_issuer);
  settings.jwt.lifetime = location.signed_lifetime;
  std::string_view text;
  auto *digest = static_cast<char *>(memory.allocate(jose::hex_digest_size));
  if (digest == nullptr ||
      !jose::write_text(
          memory, [&](jose::Writer &writer) { put_settings(writer, settings.jwt, key.thumbprint); }, text) ||
      !jose::hex_digest(text, {}, digest)) {
    return false;
  }
  settings.digest = {digest, jose::hex_digest_size};
  return true;
}

}  // namespace gateway
