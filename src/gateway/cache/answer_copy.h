#pragma once

#include <string_view>

#include "../../oauth/bearer.h"
#include "../configuration/module_configuration.h"

namespace gateway {

/// A copy of an accepted answer in a request's pool, which need not be read: out of the hot cache, or out of what the
/// worker has read before. Where it is kept, it lies in the same order: the JWT, a NUL, the packed rest.
struct AnswerCopy {
  std::string_view authorization;  ///< `Bearer <jwt>`, a NUL behind it
  std::string_view jwt;            ///< the last part of it
  std::string_view packed;         ///< for oauth::unpack()
};

/// @return bytes that a copy takes where it is kept.
constexpr std::size_t size_of_copy(std::size_t jwt_size, std::size_t packed_size) noexcept {
  return jwt_size + 1 + packed_size;
}

/// @param copy set where the result is not nullptr.
/// @return where size_of_copy() bytes are to be put; nullptr where there is no memory.
inline char *allocate_copy(ngx_pool_t *pool, std::size_t jwt_size, std::size_t packed_size, AnswerCopy &copy) noexcept {
  auto *bytes =
      static_cast<char *>(ngx_pnalloc(pool, oauth::bearer_scheme.size() + size_of_copy(jwt_size, packed_size)));
  if (bytes == nullptr) {
    return nullptr;
  }
  oauth::bearer_scheme.copy(bytes, oauth::bearer_scheme.size());
  char *jwt = bytes + oauth::bearer_scheme.size();
  copy.authorization = {bytes, oauth::bearer_scheme.size() + jwt_size};
  copy.jwt = {jwt, jwt_size};
  copy.packed = {jwt + jwt_size + 1, packed_size};
  return jwt;
}

}  // namespace gateway
