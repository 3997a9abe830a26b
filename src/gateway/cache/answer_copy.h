#pragma once

#include <string_view>

#include "../../oauth/bearer.h"
#include "../configuration/module_configuration.h"

namespace gateway {

/// What an answer takes where it is kept, in this order: the JWT that is forwarded, a NUL, the JWT of the authorization
/// server where another one is forwarded, the packed rest.
struct CopySizes {
  std::size_t signed_jwt = 0;  ///< bytes of the one that the gateway has signed; 0: none, jwt is forwarded
  std::size_t jwt = 0;
  std::size_t packed = 0;

  constexpr std::size_t total() const noexcept { return signed_jwt + jwt + 1 + packed; }
};

/// A copy of an accepted answer in a request's pool, which need not be read: out of the hot cache, or out of what the
/// worker has read before.
struct AnswerCopy {
  std::string_view authorization;  ///< `Bearer <jwt>` with the JWT that is forwarded, a NUL behind it
  std::string_view jwt;            ///< of the authorization server; empty where its answer has none
  std::string_view packed;         ///< for oauth::unpack()
};

/// @param copy set where the result is not nullptr.
/// @return where sizes.total() bytes are to be put; nullptr where there is no memory.
inline char *allocate_copy(ngx_pool_t *pool, const CopySizes &sizes, AnswerCopy &copy) noexcept {
  auto *bytes = static_cast<char *>(ngx_pnalloc(pool, oauth::bearer_scheme.size() + sizes.total()));
  if (bytes == nullptr) {
    return nullptr;
  }
  oauth::bearer_scheme.copy(bytes, oauth::bearer_scheme.size());
  char *forwarded = bytes + oauth::bearer_scheme.size();
  const bool is_signed = sizes.signed_jwt != 0;
  const std::size_t forwarded_size = is_signed ? sizes.signed_jwt : sizes.jwt;
  copy.authorization = {bytes, oauth::bearer_scheme.size() + forwarded_size};
  copy.jwt = {is_signed ? forwarded + forwarded_size + 1 : forwarded, sizes.jwt};
  copy.packed = {forwarded + sizes.total() - sizes.packed, sizes.packed};
  return forwarded;
}

}  // namespace gateway
