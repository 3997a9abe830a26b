// phantom_token_metrics: the content handler that shows the counters in Prometheus' text format.

#include <string_view>

#include "../../jose/writer.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/pool.h"
#include "../../nginx/response.h"
#include "../../nginx/strings.h"
#include "../cache/hot_cache_zone.h"
#include "../cache/replays.h"
#include "../cache/revocations.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "metrics.h"

namespace gateway {
namespace {

constexpr std::string_view media_type = "text/plain";
constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

constexpr std::string_view kind_names[as_request_kind_count] = {"introspection", "exchange", "jwks"};

struct Label {
  std::string_view name;
  std::string_view value;
};

class Page {
 public:
  explicit Page(jose::Writer &writer) noexcept : writer_(writer) {}

  void describe(std::string_view name, std::string_view type, std::string_view help) noexcept {
    put({"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"});
  }

  void sample(std::string_view name, std::initializer_list<Label> labels, ngx_uint_t value) noexcept {
    writer_.put(name);
    char separator = '{';
    for (const Label &label : labels) {
      writer_.put(separator);
      put({label.name, "=\""});
      label_value(label.value);
      writer_.put('"');
      separator = ',';
    }
    writer_.put(labels.size() == 0 ? "" : "}");
    number(" %ui\n", value);
  }

  void seconds(std::string_view name, ngx_uint_t milliseconds) noexcept {
    writer_.put(name);
    number(" %ui", milliseconds / 1000);
    number(".%03ui\n", milliseconds % 1000);
  }

 private:
  void put(std::initializer_list<std::string_view> texts) noexcept {
    for (const std::string_view text : texts) {
      writer_.put(text);
    }
  }

  /// The format wants UTF-8 and three escapes; nginx lets a zone's name be anything.
  void label_value(std::string_view text) noexcept {
    for (const char c : text) {
      if (c == '\n') {
        writer_.put("\\n");
      } else if (c < ' ' || c > '~') {
        number("\\\\x%02xi", static_cast<u_char>(c));
      } else {
        writer_.put_escaped({&c, 1});
      }
    }
  }

  void number(const char *format, ngx_uint_t value) noexcept {
    u_char digits[NGX_INT64_LEN + 4];
    const u_char *end = ngx_snprintf(digits, sizeof(digits), format, value);
    writer_.put(to_view({static_cast<size_t>(end - digits), digits}));
  }

  jose::Writer &writer_;
};

std::string_view word_of(std::size_t outcome) noexcept {
  return oauth::meaning(static_cast<oauth::Outcome>(outcome)).word;
}

/// Two outcomes share a word: they are counted as one.
/// @return whether an earlier outcome has this one's word.
bool is_repeated(std::size_t outcome) noexcept {
  for (std::size_t earlier = 0; earlier < outcome; ++earlier) {
    if (word_of(earlier) == word_of(outcome)) {
      return true;
    }
  }
  return false;
}

ngx_uint_t sum_of_word(const ngx_atomic_t *counters, std::size_t outcome) noexcept {
  ngx_uint_t sum = 0;
  for (std::size_t other = 0; other < outcome_count; ++other) {
    sum += word_of(other) == word_of(outcome) ? counters[other] : 0;
  }
  return sum;
}

void put_requests(Page &page, const Metrics &metrics) noexcept {
  constexpr std::string_view name = "phantom_token_requests_total";
  page.describe(name, "counter", "Requests to protected locations, by $phantom_token_status.");
  for (std::size_t outcome = 0; outcome < outcome_count; ++outcome) {
    if (!is_repeated(outcome)) {
      page.sample(name, {{"status", word_of(outcome)}}, sum_of_word(metrics.requests, outcome));
    }
  }
}

void put_cache_statuses(Page &page, const Metrics &metrics) noexcept {
#if (NGX_HTTP_CACHE)
  constexpr std::string_view name = "phantom_token_cache_total";
  page.describe(name, "counter", "Requests whose answer could come from a cache, by $phantom_token_cache.");
  page.sample(name, {{"cache", "HOT"}}, metrics.cache_statuses[0]);
  for (std::size_t status = 1; status < cache_status_count; ++status) {
    page.sample(name, {{"cache", to_view(ngx_http_cache_status[status - 1])}}, metrics.cache_statuses[status]);
  }
#endif
}

/// Whether the counter of this outcome is on the page before it has been counted once. Prometheus sees an increase only
/// from a value that it has read, so a counter that an alert rule watches must be there with 0.
bool is_shown_with_zero(std::size_t outcome) noexcept {
  switch (static_cast<oauth::Outcome>(outcome)) {
    case oauth::Outcome::active:
    case oauth::Outcome::inactive:
    case oauth::Outcome::as_refused_client:
    case oauth::Outcome::as_busy:
    case oauth::Outcome::as_timeout:
    case oauth::Outcome::as_error:
    case oauth::Outcome::as_bad_response:
      return true;
    default:
      return false;
  }
}

void put_as_requests(Page &page, const Metrics &metrics) noexcept {
  constexpr std::string_view name = "phantom_token_as_calls_total";
  page.describe(name, "counter",
                "Requests that reached the authorization server, by kind and by what the answer said.");
  for (std::size_t kind = 0; kind < as_request_kind_count; ++kind) {
    for (std::size_t outcome = 0; outcome < outcome_count; ++outcome) {
      if (metrics.as_requests[kind][outcome] != 0 || is_shown_with_zero(outcome)) {
        page.sample(name, {{"call", kind_names[kind]}, {"outcome", word_of(outcome)}},
                    metrics.as_requests[kind][outcome]);
      }
    }
  }
}

void put_as_times(Page &page, const Metrics &metrics) noexcept {
  constexpr std::string_view name = "phantom_token_as_seconds";
  constexpr std::string_view bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                         "0.5",   "1",    "2.5",   "5",    "10",  "+Inf"};
  static_assert(std::size(bounds) == std::size(time_bounds) + 1, "a text for each bound, and one for what is beyond");
  page.describe(name, "histogram", "How long the authorization server took.");
  ngx_uint_t sum = 0;
  for (std::size_t i = 0; i < std::size(bounds); ++i) {
    sum += metrics.as_times[i];
    page.sample("phantom_token_as_seconds_bucket", {{"le", bounds[i]}}, sum);
  }
  page.seconds("phantom_token_as_seconds_sum", metrics.as_milliseconds);
  page.sample("phantom_token_as_seconds_count", {}, sum);
}

struct HotCacheMetric {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  ngx_uint_t HotCacheUse::*value;
};

constexpr HotCacheMetric hot_cache_metrics[] = {
    {"phantom_token_hot_cache_entries", "gauge", "Copies in the zone, ended ones among them.", &HotCacheUse::entries},
    {"phantom_token_hot_cache_evictions_total", "counter", "Copies that had to make room for others before they ended.",
     &HotCacheUse::evictions},
    {"phantom_token_hot_cache_bytes", "gauge", "Bytes of the zone's pages that are in use.", &HotCacheUse::bytes},
    {"phantom_token_hot_cache_size_bytes", "gauge", "Bytes of the zone.", &HotCacheUse::size},
};

struct HotCache {
  std::string_view name;
  HotCacheUse use;
};

struct Revocations {
  std::string_view name;
  RevocationUse use;
};

struct Replays {
  std::string_view name;
  ReplayUse use;
};

/// What the page shows, as it was at one time: the page is written twice, to find out its size and then its bytes.
struct Snapshot {
  Metrics metrics;
  HotCache *hot_caches;
  ngx_uint_t hot_cache_count;
  Revocations *revocations;
  ngx_uint_t revocations_count;
  Replays *replays;
  ngx_uint_t replays_count;
};

void put_hot_caches(Page &page, const Snapshot &snapshot) noexcept {
  for (const HotCacheMetric &metric : hot_cache_metrics) {
    page.describe(metric.name, metric.type, metric.help);
    for (ngx_uint_t i = 0; i < snapshot.hot_cache_count; ++i) {
      const HotCache &cache = snapshot.hot_caches[i];
      page.sample(metric.name, {{"zone", cache.name}}, cache.use.*(metric.value));
    }
  }
}

/// What cannot be is not on the page: a form's revocation is of a known kind or none, and only event tokens come again.
bool is_possible(std::size_t kind, Received result) noexcept {
  if (kind == received_other_kind) {
    return result == Received::refused;
  }
  return kind >= received_event_kind || result == Received::revoked || result == Received::failed;
}

void put_received(Page &page, const Metrics &metrics) noexcept {
  constexpr std::string_view name = "phantom_token_revocations_total";
  constexpr std::string_view results[received_count] = {"revoked", "refused", "seen_before", "unknown", "failed"};
  page.describe(name, "counter", "What has come to phantom_token_revoke, by kind and by what has come of it.");
  for (std::size_t kind = 0; kind < received_kind_count; ++kind) {
    const std::string_view kind_name =
        kind == received_other_kind ? "other" : record_kind_name(static_cast<std::uint32_t>(kind));
    for (std::size_t result = 0; result < received_count; ++result) {
      if (is_possible(kind, static_cast<Received>(result))) {
        page.sample(name, {{"kind", kind_name}, {"result", results[result]}}, metrics.revocations[kind][result]);
      }
    }
  }
}

void put_revocations(Page &page, const Snapshot &snapshot) noexcept {
  constexpr std::string_view entries = "phantom_token_revocation_entries";
  constexpr std::string_view capacity = "phantom_token_revocation_capacity";
  page.describe(entries, "gauge", "Entries of the zone by kind, ended ones among them.");
  for (ngx_uint_t i = 0; i < snapshot.revocations_count; ++i) {
    for (std::uint32_t kind = 0; kind < record_kind_count; ++kind) {
      const Revocations &zone = snapshot.revocations[i];
      page.sample(entries, {{"zone", zone.name}, {"kind", record_kind_name(kind)}}, zone.use.entries[kind]);
    }
  }
  page.describe(capacity, "gauge", "Entries that the zone has room for.");
  for (ngx_uint_t i = 0; i < snapshot.revocations_count; ++i) {
    page.sample(capacity, {{"zone", snapshot.revocations[i].name}}, snapshot.revocations[i].use.capacity);
  }
  put_received(page, snapshot.metrics);
}

void put_replays(Page &page, const Snapshot &snapshot) noexcept {
  constexpr std::string_view entries = "phantom_token_dpop_replay_entries";
  constexpr std::string_view capacity = "phantom_token_dpop_replay_capacity";
  page.describe(entries, "gauge", "Used proofs in the zone that still count.");
  for (ngx_uint_t i = 0; i < snapshot.replays_count; ++i) {
    page.sample(entries, {{"zone", snapshot.replays[i].name}}, snapshot.replays[i].use.entries);
  }
  page.describe(capacity, "gauge", "Used proofs that the zone has room for.");
  for (ngx_uint_t i = 0; i < snapshot.replays_count; ++i) {
    page.sample(capacity, {{"zone", snapshot.replays[i].name}}, snapshot.replays[i].use.capacity);
  }
}

/// What each zone of a list has in use.
/// @return nullptr where there is no memory.
template <typename Item, typename Use>
Item *take_uses(ngx_pool_t *pool, const ngx_array_t &zones, Use use_of_zone) noexcept {
  auto *items = static_cast<Item *>(ngx_palloc(pool, (zones.nelts + 1) * sizeof(Item)));
  for (ngx_uint_t i = 0; items != nullptr && i < zones.nelts; ++i) {
    const ngx_shm_zone_t &zone = *static_cast<ngx_shm_zone_t *const *>(zones.elts)[i];
    new (&items[i]) Item{to_view(zone.shm.name), use_of_zone(zone)};
  }
  return items;
}

/// @return nullptr where there is no memory.
Snapshot *take_snapshot(const ngx_http_request_t *r, const Metrics &metrics) noexcept {
  const phantom_token_main_t &main = main_of(r);
  auto *snapshot = make<Snapshot>(r->pool);
  auto *caches = take_uses<HotCache>(r->pool, main.hot_caches, use_of);
  auto *revocations = take_uses<Revocations>(r->pool, main.revocations, revocation_use);
  auto *replays = take_uses<Replays>(r->pool, main.replays, replay_use);
  if (snapshot == nullptr || caches == nullptr || revocations == nullptr || replays == nullptr) {
    return nullptr;
  }
  snapshot->metrics = metrics;
  snapshot->hot_caches = caches;
  snapshot->hot_cache_count = main.hot_caches.nelts;
  snapshot->revocations = revocations;
  snapshot->revocations_count = main.revocations.nelts;
  snapshot->replays = replays;
  snapshot->replays_count = main.replays.nelts;
  return snapshot;
}

void put_page(jose::Writer &writer, const Snapshot &snapshot) noexcept {
  Page page(writer);
  put_requests(page, snapshot.metrics);
  put_cache_statuses(page, snapshot.metrics);
  put_as_requests(page, snapshot.metrics);
  put_as_times(page, snapshot.metrics);
  if (snapshot.hot_cache_count != 0) {
    put_hot_caches(page, snapshot);
  }
  if (snapshot.revocations_count != 0) {
    put_revocations(page, snapshot);
  }
  if (snapshot.replays_count != 0) {
    put_replays(page, snapshot);
  }
}

ngx_int_t metrics_handler(ngx_http_request_t *r) noexcept {
  if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
    return NGX_HTTP_NOT_ALLOWED;
  }
  const ngx_int_t rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) {
    return rc;
  }
  const Metrics *metrics = find_metrics(r);
  const Snapshot *snapshot = metrics == nullptr ? nullptr : take_snapshot(r, *metrics);
  PoolMemory memory(r->pool);
  std::string_view page;
  if (snapshot == nullptr || !jose::write_text(
                                 memory, [&](jose::Writer &writer) { put_page(writer, *snapshot); }, page)) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return send_page(r, {content_type, media_type.size()}, page);
}

}  // namespace
}  // namespace gateway

extern "C" char *phantom_token_set_metrics(ngx_conf_t *cf, ngx_command_t * /*cmd*/, void * /*conf*/) {
  ngx_http_core_loc_conf_t &location = nginx::core_location_of(cf);
  if (location.handler == gateway::metrics_handler) {
    return const_cast<char *>("is duplicate");
  }
  location.handler = gateway::metrics_handler;
  return gateway::declare_metrics(cf) ? NGX_CONF_OK : static_cast<char *>(NGX_CONF_ERROR);
}
