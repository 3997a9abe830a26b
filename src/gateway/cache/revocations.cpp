#include "revocations.h"

#include <algorithm>

#include "../../jose/digest.h"
#include "../../oauth/token_information_codec.h"
#include "state_file.h"

namespace gateway {
namespace {

static_assert(ExpiringKey::digest_size == jose::sha256_size);

using Digest = unsigned char[ExpiringKey::digest_size];

bool has_revocations(const ExpiringTable &table) noexcept {
  std::uint32_t sum = 0;
  for (std::size_t kind = 0; kind < oauth::revoked_kind_count; ++kind) {
    sum |= table.counts[kind];
  }
  return sum != 0;
}

/// Compares a text with a digest.
/// @return unknown where OpenSSL fails.
Revoked has_digest(std::string_view text, const unsigned char *expected) noexcept {
  Digest digest;
  if (!jose::sha256(text, digest)) {
    return Revoked::unknown;
  }
  return ngx_memcmp(digest, expected, sizeof(digest)) == 0 ? Revoked::yes : Revoked::no;
}

/// @param record of the same kind and hash.
Revoked compare(const ExpiringRecord &record, const oauth::RevocableClaim &claim) noexcept {
  // A token counts whatever its `iat`.
  if (claim.kind != oauth::RevokedKind::token && claim.iat > record.before) {
    return Revoked::no;
  }
  const Revoked by_value = has_digest(claim.value, record.key.value);
  const bool is_of_issuer = claim.issuer.empty() || is_for_any_issuer(record.key);
  return by_value != Revoked::yes || is_of_issuer ? by_value : has_digest(claim.issuer, record.key.issuer);
}

/// @param claim for which there may be an entry.
Revoked look_up(const RevocationZone &zone, const oauth::RevocableClaim &claim) noexcept {
  const Moment now = current_moment();
  const TableLock lock(zone);
  Revoked result = Revoked::no;
  const auto matches = [&](const ExpiringRecord &record) {
    const Revoked one = compare(record, claim);
    result = one == Revoked::no ? result : one;
    return one == Revoked::yes;
  };
  (void)has_record(*zone.table, static_cast<std::uint32_t>(claim.kind), claim.hash, now, matches);
  sweep_at_times(*zone.table, now);
  return result;
}

/// Asks for one claim after the other, until one is revoked. A kind that no entry has costs nothing, and another value
/// nearly nothing.
class Lookup {
 public:
  explicit Lookup(const RevocationZone &zone) noexcept : zone_(zone) {}

  void ask(const oauth::RevocableClaim &claim) noexcept {
    const auto kind = static_cast<std::uint32_t>(claim.kind);
    if (result_ != Revoked::yes && zone_.table->counts[kind] != 0 && may_have_record(*zone_.table, kind, claim.hash)) {
      const Revoked one = look_up(zone_, claim);
      result_ = one == Revoked::no ? result_ : one;
    }
  }

  void ask_for_token(std::string_view token) noexcept {
    if (zone_.table->counts[static_cast<std::size_t>(oauth::RevokedKind::token)] != 0) {
      ask({token, {}, oauth::RevocableClaim::no_iat, oauth::quick_hash(token), oauth::RevokedKind::token});
    }
  }

  void ask_for_claims(const oauth::TokenInformation &information) noexcept {
    std::string_view rest = information.packed_revocable_claims;
    if (rest.empty()) {
      list_and_ask(information);
      return;
    }
    oauth::RevocableClaim claim;
    while (oauth::take_revocable_claim(rest, claim)) {
      ask(claim);
    }
    if (!rest.empty() && result_ == Revoked::no) {
      result_ = Revoked::unknown;
    }
  }

  Revoked result() const noexcept { return result_; }

 private:
  void list_and_ask(const oauth::TokenInformation &information) noexcept {
    oauth::RevocableClaim claims[oauth::most_revocable_claims];
    const std::size_t count = oauth::list_revocable_claims(information.jwt.claims, information.members, claims);
    for (std::size_t i = 0; i < count; ++i) {
      ask(claims[i]);
    }
  }

  const RevocationZone &zone_;
  Revoked result_ = Revoked::no;
};

bool make_key(std::uint32_t kind, std::string_view value, std::string_view issuer, ExpiringKey &key) noexcept {
  key.kind = kind;
  key.hash = oauth::quick_hash(value);
  return jose::sha256(value, key.value) && (issuer.empty() || jose::sha256(issuer, key.issuer));
}

/// What an order comes to, in the form of the zone and of the file.
struct Records {
  ExpiringRecord *items = nullptr;  ///< the revocations; behind them the event token, where there is one
  std::size_t count = 0;            ///< of the revocations
  bool has_event = false;

  const ExpiringRecord &event() const noexcept { return items[count]; }
  std::size_t total() const noexcept { return count + (has_event ? 1 : 0); }
};

std::size_t count_revocations(const RevocationOrder &order) noexcept {
  std::size_t count = 0;
  for (const oauth::EventRevocation *item = order.revocations; item != nullptr; item = item->next) {
    count++;
  }
  return count;
}

/// @return false where there is no memory, or OpenSSL fails.
bool make_records(ngx_pool_t *pool, const RevocationOrder &order, time_t keep, Records &records) noexcept {
  const std::size_t most = count_revocations(order) + 1;
  records.items = static_cast<ExpiringRecord *>(ngx_pcalloc(pool, most * sizeof(ExpiringRecord)));
  if (records.items == nullptr) {
    return false;
  }
  for (const oauth::EventRevocation *item = order.revocations; item != nullptr; item = item->next) {
    const oauth::Revocation &revocation = item->revocation;
    ExpiringRecord &record = records.items[records.count++];
    record.end = ngx_time() + keep;
    record.before = revocation.before;
    if (!make_key(static_cast<std::uint32_t>(revocation.kind), revocation.value, revocation.issuer, record.key)) {
      return false;
    }
  }
  records.has_event = order.event_kind != 0;
  ExpiringRecord &event = records.items[records.count];
  event.end = std::max<time_t>(static_cast<time_t>(order.iat) + keep, ngx_time() + 1);
  return !records.has_event || make_key(order.event_kind, order.jti, order.event_issuer, event.key);
}

void log_failure(const ngx_http_request_t *r, const ngx_shm_zone_t &zone, Recorded result) noexcept {
  if (result == Recorded::full) {
    ngx_log_error(
        NGX_LOG_ERR, r->connection->log, 0,
        "phantom token: the zone \"%V\" of \"phantom_token_revocation\" is full of what has not ended: make it "
        "larger, or \"keep\" shorter; this revocation is not taken",
        &zone.shm.name);
  } else if (result == Recorded::closed) {
    ngx_log_error(
        NGX_LOG_WARN, r->connection->log, 0,
        "phantom token: a reload is giving the zone \"%V\" of \"phantom_token_revocation\" another size: this "
        "revocation is not taken, and its sender is told to send it again",
        &zone.shm.name);
  }
}

/// @return full, or recorded.
Recorded add(ExpiringTable &table, const ExpiringRecord &record, Moment now) noexcept {
  return add_record(table, record, now) == Added::full ? Recorded::full : Recorded::recorded;
}

/// @return how many of them are not there yet, with the event token.
std::size_t count_new(ExpiringTable &table, const Records &records, Moment now) noexcept {
  std::size_t count = records.has_event ? 1 : 0;
  for (std::size_t i = 0; i < records.count; ++i) {
    count += find_record(table, records.items[i].key, now) == nullptr ? 1 : 0;
  }
  return count;
}

/// All or nothing. The event token is known only when all is recorded, so that it can come again until then: after the
/// file, where there is one. Its place is kept: who may take it waits for the file.
Recorded add_records(const RevocationZone &zone, const Records &records) noexcept {
  const Moment now = current_moment();
  const TableLock lock(zone);
  ExpiringTable &table = *zone.table;
  if (zone.state_file.len == 0 && is_closed(table, now)) {
    return Recorded::closed;
  }
  if (records.has_event && find_record(table, records.event().key, now) != nullptr) {
    return Recorded::seen_before;
  }
  if (!make_room_for(table, count_new(table, records, now), now)) {
    return Recorded::full;
  }
  const std::size_t count = zone.state_file.len == 0 ? records.total() : records.count;
  Recorded result = Recorded::recorded;
  for (std::size_t i = 0; i < count && result == Recorded::recorded; ++i) {
    result = add(table, records.items[i], now);
  }
  return result;
}

Recorded append_records(const ngx_http_request_t *r, const RevocationZone &zone, StateFile &file,
                        const Records &records) noexcept {
  auto *lines = static_cast<char *>(ngx_palloc(r->pool, records.total() * longest_revocation_line + 1));
  if (lines == nullptr) {
    return Recorded::failed;
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < records.total(); ++i) {
    size += write_revocation_line(records.items[i], lines + size);
  }
  if (file.append(lines, size)) {
    return Recorded::recorded;
  }
  ngx_log_error(
      NGX_LOG_ERR, r->connection->log, file.error(),
      "phantom token: the state file \"%V\" of \"phantom_token_revocation\" cannot be written: the revocation "
      "holds until nginx ends, and its sender is told to send it again",
      &zone.state_file);
  return Recorded::unwritten;
}

Recorded add_event(const RevocationZone &zone, const Records &records) noexcept {
  if (!records.has_event || zone.state_file.len == 0) {
    return Recorded::recorded;
  }
  const TableLock lock(zone);
  return add(*zone.table, records.event(), current_moment());
}

}  // namespace

Revoked find_revoked(const ngx_shm_zone_t &zone, std::string_view token,
                     const oauth::TokenInformation &information) noexcept {
  const RevocationZone &ours = revocations_of(zone);
  // Without the lock: what is added now, the next request finds.
  if (!has_revocations(*ours.table)) {
    return Revoked::no;
  }
  Lookup lookup(ours);
  lookup.ask_for_token(token);
  lookup.ask_for_claims(information);
  return lookup.result();
}

Recorded record_revocations(const ngx_http_request_t *r, const ngx_shm_zone_t &zone,
                            const RevocationOrder &order) noexcept {
  const RevocationZone &ours = revocations_of(zone);
  Records records;
  if (!make_records(r->pool, order, ours.keep, records)) {
    return Recorded::failed;
  }
  // Locked all the while: the same event token that comes to another worker waits, and finds this one.
  StateFile file(ours, O_RDWR | O_APPEND);
  Recorded result = add_records(ours, records);
  if (result == Recorded::recorded) {
    result = append_records(r, ours, file, records);
  }
  if (result == Recorded::recorded) {
    result = add_event(ours, records);
  }
  log_failure(r, zone, result);
  return result;
}

RevocationUse revocation_use(const ngx_shm_zone_t &zone) noexcept {
  const RevocationZone &ours = revocations_of(zone);
  const TableLock lock(ours);
  sweep_expiring_table(*ours.table, current_moment());
  RevocationUse use = {};
  std::copy_n(ours.table->counts, record_kind_count, use.entries);
  use.capacity = ours.table->capacity;
  return use;
}

}  // namespace gateway
