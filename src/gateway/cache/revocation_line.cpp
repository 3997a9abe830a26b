#include "revocation_line.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace gateway {
namespace {

constexpr std::string_view any_issuer = "-";
constexpr std::string_view hex_digits = "0123456789abcdef";

char *put(std::string_view text, char *place) noexcept {
  return place + text.copy(place, text.size());
}

char *put_digest(const unsigned char *digest, char *place) noexcept {
  for (std::size_t i = 0; i < ExpiringKey::digest_size; ++i) {
    *place++ = hex_digits[digest[i] >> 4];
    *place++ = hex_digits[digest[i] & 15];
  }
  return place;
}

constexpr std::size_t hash_size = 2 * sizeof(ExpiringKey::hash);

char *put_hash(std::uint32_t hash, char *place) noexcept {
  for (std::size_t i = hash_size; i != 0; --i) {
    *place++ = hex_digits[hash >> (4 * (i - 1)) & 15];
  }
  return place;
}

char *put_number(std::int64_t number, char *place) noexcept {
  constexpr std::size_t longest = 20;
  return std::to_chars(place, place + longest, number).ptr;
}

/// Takes the text before the next space off the line.
std::string_view take_field(std::string_view &line) noexcept {
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(field.size() + 1, line.size()));
  return field;
}

bool read_kind(std::string_view field, std::uint32_t &kind) noexcept {
  kind = 0;
  while (kind < record_kind_count && record_kind_name(kind) != field) {
    ++kind;
  }
  return kind < record_kind_count;
}

bool read_digest(std::string_view field, unsigned char *digest) noexcept {
  if (field.size() != 2 * ExpiringKey::digest_size || field.find_first_not_of(hex_digits) != std::string_view::npos) {
    return false;
  }
  for (std::size_t i = 0; i < ExpiringKey::digest_size; ++i) {
    digest[i] = static_cast<unsigned char>(hex_digits.find(field[2 * i]) << 4 | hex_digits.find(field[2 * i + 1]));
  }
  return true;
}

template <typename Number>
bool read_number(std::string_view field, Number &number, int base = 10) noexcept {
  const char *end = field.data() + field.size();
  const std::from_chars_result result = std::from_chars(field.data(), end, number, base);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace

std::string_view record_kind_name(std::uint32_t kind) noexcept {
  if (kind < logout_token_kind) {
    return oauth::name(static_cast<oauth::RevokedKind>(kind));
  }
  return kind == logout_token_kind ? "logout_token" : "security_event";
}

std::size_t write_revocation_line(const ExpiringRecord &record, char *place) noexcept {
  char *next = put(record_kind_name(record.key.kind), place);
  *next++ = ' ';
  next = put_hash(record.key.hash, next);
  *next++ = ' ';
  next = put_digest(record.key.value, next);
  *next++ = ' ';
  next = is_for_any_issuer(record.key) ? put(any_issuer, next) : put_digest(record.key.issuer, next);
  *next++ = ' ';
  next = put_number(record.end, next);
  *next++ = ' ';
  next = put_number(record.before, next);
  *next++ = '\n';
  return static_cast<std::size_t>(next - place);
}

bool read_revocation_line(std::string_view line, ExpiringRecord &record) noexcept {
  record = {};
  if (!read_kind(take_field(line), record.key.kind)) {
    return false;
  }
  const std::string_view hash = take_field(line);
  if (hash.size() != hash_size || !read_number(hash, record.key.hash, 16) ||
      !read_digest(take_field(line), record.key.value)) {
    return false;
  }
  const std::string_view issuer = take_field(line);
  return (issuer == any_issuer || read_digest(issuer, record.key.issuer)) &&
         read_number(take_field(line), record.end) && read_number(line, record.before);
}

}  // namespace gateway
