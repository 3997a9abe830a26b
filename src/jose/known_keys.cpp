#include "known_keys.h"

#include <cstddef>
#include <functional>

#include "thumbprint.h"

namespace jose {
namespace {

struct KnownKey {
  PublicKey key;
  char thumbprint[thumbprint_size];
};

constexpr std::size_t most_known = 512;
KnownKey known_keys[most_known];

KnownKey &place_of(std::string_view thumbprint) noexcept {
  return known_keys[std::hash<std::string_view>()(thumbprint) % most_known];
}

}  // namespace

Import find_or_import(const JwkMembers &jwk, std::string_view thumbprint, const PublicKey *&key) noexcept {
  KnownKey &place = place_of(thumbprint);
  if (place.key.key == nullptr || std::string_view(place.thumbprint, thumbprint_size) != thumbprint) {
    PublicKey imported;
    const Import result = import_public_key(jwk, imported);
    if (result != Import::good) {
      free_public_key(imported);
      return result;
    }
    free_public_key(place.key);
    place.key = imported;
    thumbprint.copy(place.thumbprint, thumbprint_size);
  }
  key = &place.key;
  return Import::good;
}

void forget_known_keys() noexcept {
  for (KnownKey &known : known_keys) {
    free_public_key(known.key);
  }
}

}  // namespace jose
