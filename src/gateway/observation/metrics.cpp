#include "metrics.h"

#include <algorithm>

#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"
#include "../configuration/zones.h"
#include "../subrequest/request_state.h"

namespace gateway {
namespace {

/// In the master process, or on a reload the one that was there, so that no counter goes back.
ngx_int_t initialize(ngx_shm_zone_t *zone, void *earlier) noexcept {
  if (earlier != nullptr) {
    zone->data = earlier;
    return NGX_OK;
  }
  zone->data = ngx_slab_calloc(reinterpret_cast<ngx_slab_pool_t *>(zone->shm.addr), sizeof(Metrics));
  return zone->data == nullptr ? NGX_ERROR : NGX_OK;
}

void add(ngx_atomic_t &counter, ngx_atomic_int_t number) noexcept {
  (void)ngx_atomic_fetch_add(&counter, number);
}

}  // namespace

bool declare_metrics(ngx_conf_t *cf) noexcept {
  constexpr ngx_uint_t pages = 8;  // nginx has no smaller zones
  phantom_token_main_t &main = main_of(cf);
  ngx_str_t name = to_ngx_str(metrics_zone);
  main.metrics = ngx_shared_memory_add(cf, &name, pages * ngx_pagesize, &ngx_http_phantom_token_module);
  if (main.metrics == nullptr) {
    return false;
  }
  main.metrics->init = initialize;
  return true;
}

Metrics *find_metrics(const ngx_http_request_t *r) noexcept {
  const ngx_shm_zone_t *zone = main_of(r).metrics;
  return zone == nullptr ? nullptr : static_cast<Metrics *>(zone->data);
}

void count_request(const ngx_http_request_t *r) noexcept {
  Metrics *metrics = find_metrics(r);
  const RequestState *state = metrics == nullptr ? nullptr : find_state(r);
  if (state == nullptr || !state->is_judged) {
    return;
  }
  add(metrics->requests[static_cast<std::size_t>(state->outcome)], 1);
  const AsRequest *answer = state->answer;
  if (answer == nullptr || answer->running.progress != Progress::done) {
    return;
  }
  const bool is_hot = answer->interpreted.source == AnswerSource::hot_cache;
  if (is_hot || answer->captured.cache.status != 0) {
    add(metrics->cache_statuses[is_hot ? 0 : answer->captured.cache.status], 1);
  }
}

void count_as_request(const ngx_http_request_t *r, const AsRequest &request, oauth::Outcome outcome) noexcept {
  Metrics *metrics = find_metrics(r);
  const CapturedResponse &captured = request.captured;
  if (metrics == nullptr || !captured.has_reached_server) {
    return;
  }
  add(metrics->as_requests[static_cast<std::size_t>(request.asked.kind)][static_cast<std::size_t>(outcome)], 1);
  const auto *bound = std::lower_bound(std::begin(time_bounds), std::end(time_bounds), captured.duration);
  add(metrics->as_times[bound - std::begin(time_bounds)], 1);
  add(metrics->as_milliseconds, static_cast<ngx_atomic_int_t>(captured.duration));
}

void count_revocation(const ngx_http_request_t *r, std::size_t kind, Received result) noexcept {
  if (Metrics *metrics = find_metrics(r)) {
    add(metrics->revocations[kind][static_cast<std::size_t>(result)], 1);
  }
}

}  // namespace gateway
