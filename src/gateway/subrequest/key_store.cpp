#include "key_store.h"

#include "../../jose/digest.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/strings.h"
#include "advice.h"

namespace gateway {

struct KeyStoreEntry {
  KeyStoreEntry *next = nullptr;
  const ngx_http_core_srv_conf_t *server = nullptr;
  std::string_view endpoint;  ///< behind the entry, in the same memory

  jose::KeySet *keys = nullptr;
  char digest[jose::hex_digest_size] = {};  ///< of the set that keys was made of
  time_t last_good = 0;
  time_t next_fetch = 0;
  time_t next_refresh = 0;
  const char *misconfiguration = nullptr;  ///< of the last request's location
  std::size_t unanswered = 0;              ///< requests that have begun since the last one that ended
};

namespace {

constexpr time_t fresh_for = 60;
constexpr time_t usable_for = 3600;
constexpr time_t refresh_interval = 10;
constexpr time_t retry_without_keys = 1;

/// Endpoints may have variables, and a client may choose what they evaluate to.
constexpr std::size_t most_entries = 64;

/// One list a worker. It is made after the fork, and never shared.
///
/// An entry is found by the address of its server, so it must not be there when another server gets that address. A
/// worker has one configuration for its whole life. With `master_process off` one process has one after the other, and
/// requests of an old configuration may still add entries beside the new one; the old one's memory is freed when the
/// last of them has ended. Only a configuration that is read later can get that memory, and the postconfiguration of
/// each one clears this list, before any request runs under it.
KeyStoreEntry *entries = nullptr;

void free_entry(KeyStoreEntry *entry) noexcept {
  jose::free_key_set(entry->keys);
  ngx_free(entry);
}

/// Drops what has been found least recently: the list's order is that of use.
void make_room() noexcept {
  std::size_t count = 0;
  for (KeyStoreEntry **link = &entries; *link != nullptr; link = &(*link)->next) {
    if (++count == most_entries) {
      KeyStoreEntry *last = *link;
      *link = last->next;
      free_entry(last);
      return;
    }
  }
}

KeyStoreEntry *add_entry(const ngx_http_core_srv_conf_t *server, std::string_view endpoint, ngx_log_t *log) noexcept {
  make_room();
  void *place = ngx_alloc(sizeof(KeyStoreEntry) + endpoint.size(), log);
  if (place == nullptr) {
    return nullptr;
  }
  auto *entry = new (place) KeyStoreEntry();
  char *name = static_cast<char *>(place) + sizeof(KeyStoreEntry);
  endpoint.copy(name, endpoint.size());
  entry->server = server;
  entry->endpoint = {name, endpoint.size()};
  entry->next = entries;
  entries = entry;
  return entry;
}

void log_failure(const ngx_http_request_t *r, const AsRequest &request, const char *problem) noexcept {
  u_char buffer[longest_status];
  const ngx_str_t status = status_in_log(request.captured, buffer);
  const ngx_str_t target = printable(r->pool, to_view(request.captured.redirect_target));
  const char *to_do = request.captured.response.status == NGX_HTTP_OK ? nullptr : advice(request);
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                "phantom token: the JWK Set cannot be used: %s%s%V%s%s, location \"%V\"%V", problem,
                target.len == 0 ? "" : ": ", &target, to_do == nullptr ? "" : "; ", to_do == nullptr ? "" : to_do,
                &request.captured.location_name, &status);
}

/// @return active, or why the response is no JWK Set.
oauth::Verdict find_failure(const CapturedResponse &captured) noexcept {
  const oauth::Verdict capture = check_capture(captured);
  if (capture.outcome != oauth::Outcome::active) {
    return capture;
  }
  if (captured.response.status != NGX_HTTP_OK) {
    return oauth::verdict_by_status(captured.response);
  }
  const char *problem = oauth::explain_unreadable(captured.response);
  return {problem == nullptr ? oauth::Outcome::active : oauth::Outcome::as_bad_response, problem};
}

/// Parses the set, unless it is the one that is there.
/// @return false where it cannot be used, which has been logged; then the entry is as before.
bool replace_keys(const ngx_http_request_t *r, KeyStoreEntry &entry, const AsRequest &request) noexcept {
  const std::string_view body = {request.captured.response.body, request.captured.response.body_size};
  char digest[jose::hex_digest_size] = {};
  const bool has_digest = jose::hex_digest({&body, 1}, digest);
  if (has_digest && entry.keys != nullptr && ngx_memcmp(digest, entry.digest, sizeof(digest)) == 0) {
    return true;
  }
  const jose::KeySetResult result = jose::parse_key_set(body);
  if (result.keys == nullptr) {
    log_failure(r, request, result.problem);
    return false;
  }
  if (result.ignored != 0) {
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "phantom token: %uz keys of the JWK Set are broken or shorter than 2048 bits and not used, location "
                  "\"%V\"",
                  result.ignored, &request.captured.location_name);
  }
  jose::free_key_set(entry.keys);
  entry.keys = result.keys;
  ngx_memcpy(entry.digest, digest, sizeof(digest));
  return true;
}

}  // namespace

time_t key_store_time() noexcept {
  return static_cast<time_t>(ngx_current_msec / 1000);
}

KeyStoreEntry *find_keys(const ngx_http_request_t *r, std::string_view endpoint) noexcept {
  const ngx_http_core_srv_conf_t *server = &core_server_of(r);
  for (KeyStoreEntry **link = &entries; *link != nullptr; link = &(*link)->next) {
    KeyStoreEntry *entry = *link;
    if (entry->server == server && entry->endpoint == endpoint) {
      *link = entry->next;
      entry->next = entries;
      entries = entry;
      return entry;
    }
  }
  return add_entry(server, endpoint, r->connection->log);
}

jose::KeySet *usable_keys(const KeyStoreEntry &entry, time_t now) noexcept {
  return now - entry.last_good < usable_for ? entry.keys : nullptr;
}

const char *find_misconfiguration(const KeyStoreEntry &entry) noexcept {
  return entry.misconfiguration;
}

// Where ngx_msec_t has 32 bits, this clock begins anew after some weeks.

bool is_fetch_due(const KeyStoreEntry &entry, time_t now) noexcept {
  return now >= entry.next_fetch || entry.next_fetch - now > fresh_for;
}

bool is_refresh_due(const KeyStoreEntry &entry, time_t now) noexcept {
  return now >= entry.next_refresh || entry.next_refresh - now > refresh_interval;
}

void note_request(KeyStoreEntry &entry) noexcept {
  entry.unanswered++;
}

bool has_lost_requests(const KeyStoreEntry &entry) noexcept {
  return entry.unanswered > 1;
}

oauth::Outcome store_keys(const ngx_http_request_t *subrequest, const AsRequest &request) noexcept {
  KeyStoreEntry *entry = find_keys(subrequest, request.asked.key.endpoint);
  if (entry == nullptr) {
    return oauth::Outcome::internal_error;
  }
  const time_t now = key_store_time();
  entry->unanswered = 0;
  entry->misconfiguration = request.captured.misconfiguration;
  if (request.asked.bypasses_cache) {
    entry->next_refresh = now + refresh_interval;
  }
  entry->next_fetch = now + (usable_keys(*entry, now) != nullptr ? refresh_interval : retry_without_keys);
  const oauth::Verdict failure = find_failure(request.captured);
  if (failure.outcome != oauth::Outcome::active) {
    log_failure(subrequest, request, failure.problem);
    return failure.outcome;
  }
  if (!replace_keys(subrequest, *entry, request)) {
    return oauth::Outcome::as_bad_response;
  }
  // A stale one is as old as proxy_cache says, by the clock of dates.
  const time_t good = request.captured.cache.is_stale() ? now - (ngx_time() - request.captured.cache.stale_since) : now;
  if (good > entry->last_good || entry->last_good > now) {
    entry->last_good = good;
  }
  if (usable_keys(*entry, now) == nullptr) {
    log_failure(subrequest, request, "the cache has kept it for over an hour after its end");
    return oauth::Outcome::stale;
  }
  entry->next_fetch = now + fresh_for;
  return oauth::Outcome::active;
}

void clear_key_store() noexcept {
  while (entries != nullptr) {
    KeyStoreEntry *entry = entries;
    entries = entry->next;
    free_entry(entry);
  }
}

}  // namespace gateway
