#include "revocation.h"

#include <endian.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace oauth {
namespace {

constexpr std::string_view names[] = {"token", "jti", "sid", "sub", "client_id"};
static_assert(std::size(names) == revoked_kind_count);

}  // namespace

std::string_view name(RevokedKind kind) noexcept {
  return names[static_cast<std::size_t>(kind)];
}

std::uint32_t quick_hash(std::string_view value) noexcept {
  constexpr std::uint64_t offset_basis = 14695981039346656037U;
  constexpr std::uint64_t prime = 1099511628211;
  std::uint64_t hash = offset_basis ^ value.size();
  while (!value.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(value.size(), sizeof(word));
    std::memcpy(&word, value.data(), size);
    hash = (hash ^ le64toh(word)) * prime;
    hash ^= hash >> 32;
    value.remove_prefix(size);
  }
  return static_cast<std::uint32_t>(hash);
}

}  // namespace oauth
