#pragma once

#include <cstddef>
#include <string_view>

#include "../../oauth/revocation.h"
#include "expiring_table.h"

namespace gateway {

/// The kinds of records: those of oauth::RevokedKind, and the `jti` of the tokens that have been accepted, which count
/// once.
constexpr std::uint32_t logout_token_kind = oauth::revoked_kind_count;
constexpr std::uint32_t security_event_kind = logout_token_kind + 1;
constexpr std::uint32_t record_kind_count = security_event_kind + 1;
static_assert(record_kind_count <= ExpiringTable::most_kinds);

std::string_view record_kind_name(std::uint32_t kind) noexcept;

/// The longest line, with its end: the longest name, a hash, two digests, two numbers of 64 bits with a sign.
constexpr std::size_t longest_revocation_line =
    std::string_view("security_event").size() + 8 + 4 * ExpiringKey::digest_size + std::size_t{2} * 20 + 6;

/// Writes a record as a line of the state file: `KIND HASH VALUE ISSUER END BEFORE`, the hash and the digests in
/// hexadecimal, `-` for any issuer, the times in seconds since the epoch.
/// @param place room for longest_revocation_line bytes.
/// @return how many it has taken.
std::size_t write_revocation_line(const ExpiringRecord &record, char *place) noexcept;

/// Reads what write_revocation_line() has written.
/// @param line without its end.
/// @return false where it is anything else.
bool read_revocation_line(std::string_view line, ExpiringRecord &record) noexcept;

}  // namespace gateway
