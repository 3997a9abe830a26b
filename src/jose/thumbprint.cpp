#include "thumbprint.h"

#include "base64url.h"
#include "digest.h"
#include "json_writer.h"

namespace jose {
namespace {

void put_member(Writer &writer, std::string_view name, std::string_view value) noexcept {
  writer.put(name);
  put_json_string(writer, value);
}

}  // namespace

bool make_thumbprint(std::string_view text, char *thumbprint) noexcept {
  static_assert(base64url_encoded_size(sha256_size) == thumbprint_size);
  unsigned char hash[sha256_size];
  if (!sha256(text, hash)) {
    return false;
  }
  base64url_encode({reinterpret_cast<const char *>(hash), sizeof(hash)}, thumbprint);
  return true;
}

void put_required_members(Writer &writer, const JwkMembers &jwk) noexcept {
  if (jwk.kty == "RSA") {
    put_member(writer, R"({"e":)", jwk.e);
    put_member(writer, R"(,"kty":)", jwk.kty);
    put_member(writer, R"(,"n":)", jwk.n);
    return;
  }
  put_member(writer, R"({"crv":)", jwk.crv);
  put_member(writer, R"(,"kty":)", jwk.kty);
  put_member(writer, R"(,"x":)", jwk.x);
  if (jwk.kty == "EC") {
    put_member(writer, R"(,"y":)", jwk.y);
  }
}

bool make_thumbprint(const JwkMembers &jwk, Memory &memory, char *thumbprint) noexcept {
  std::string_view text;
  const auto describe = [&jwk](Writer &writer) {
    put_required_members(writer, jwk);
    writer.put('}');
  };
  return write_text(memory, describe, text) && make_thumbprint(text, thumbprint);
}

}  // namespace jose
