// phantom_token_hot_cache: its lines, and the zone of shared memory that one of them declares.

#include "hot_cache_zone.h"

#include <iterator>
#include <string_view>

#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "keep_order.h"

namespace gateway {
namespace {

constexpr std::string_view valid_parameter = "valid=";
constexpr time_t default_valid = 10;

/// About as many buckets as there can be copies of small JWTs, a power of two.
ngx_uint_t count_buckets(std::size_t zone_size) noexcept {
  constexpr std::size_t small_copy = 1024;
  ngx_uint_t count = 1;
  while (count * 2 * small_copy <= zone_size) {
    count *= 2;
  }
  return count;
}

/// @param memory which nothing has been taken of; whoever calls has its mutex, or is alone.
/// @return false where there is no room.
bool make_content(ngx_slab_pool_t *memory, std::size_t zone_size) noexcept {
  const ngx_uint_t buckets = count_buckets(zone_size);
  auto *content = static_cast<HotCacheContent *>(ngx_slab_calloc_locked(memory, sizeof(HotCacheContent)));
  if (content == nullptr) {
    return false;
  }
  content->buckets =
      // NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what the array holds.
      static_cast<HotCacheRecord **>(ngx_slab_calloc_locked(memory, buckets * sizeof(HotCacheRecord *)));
  if (content->buckets == nullptr) {
    return false;
  }
  content->bucket_mask = buckets - 1;
  ngx_queue_init(&content->by_use);
  memory->log_nomem = 0;  // a full zone is as it should be
  keep_order();
  memory->data = content;
  return true;
}

/// Makes the zone's memory anew, for the allocator's own lists may be broken too. A worker that is killed here leaves a
/// zone without a content.
void empty(const ngx_shm_zone_t &zone, ngx_slab_pool_t *memory) noexcept {
  memory->data = nullptr;
  keep_order();
  ngx_slab_init(memory);
  (void)make_content(memory, zone.shm.size);
  ngx_log_error(
      NGX_LOG_ERR, ngx_cycle->log, 0,
      "phantom token: a worker has ended while it had the lock of the hot cache \"%V\": its copies are thrown "
      "away, and requests ask proxy_cache again",
      &zone.shm.name);
}

/// In the master process, or on a reload the one that was there.
ngx_int_t initialize(ngx_shm_zone_t *zone, void *earlier) noexcept {
  auto &ours = *static_cast<HotCacheZone *>(zone->data);
  if (earlier != nullptr) {
    ours.memory = static_cast<HotCacheZone *>(earlier)->memory;
    return NGX_OK;
  }
  ours.memory = reinterpret_cast<ngx_slab_pool_t *>(zone->shm.addr);
  return make_content(ours.memory, zone->shm.size) ? NGX_OK : NGX_ERROR;
}

const char *read_parameter(std::string_view argument, ZoneParameters &zone, time_t &valid) noexcept {
  if (has_prefix(argument, zone_parameter)) {
    return read_zone(argument.substr(zone_parameter.size()), zone);
  }
  return has_prefix(argument, valid_parameter) ? read_zone_time(argument.substr(valid_parameter.size()), valid)
                                               : "has an invalid parameter";
}

char *read_declaration(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const auto *arguments = static_cast<const ngx_str_t *>(cf->args->elts) + 1;
  const ngx_uint_t count = cf->args->nelts - 1;
  ZoneParameters parameters;
  time_t valid = 0;
  for (ngx_uint_t i = 0; i < count; i++) {
    if (const char *problem = read_parameter(to_view(arguments[i]), parameters, valid)) {
      return refuse_zone_line(cf, cmd, problem, arguments[i]);
    }
  }
  if (parameters.name.empty()) {
    return refuse_zone_line(cf, cmd, "has no \"zone=NAME:SIZE\" beside", arguments[0]);
  }
  auto *data = make<HotCacheZone>(cf->pool);
  if (data != nullptr) {
    data->valid = static_cast<ngx_msec_t>(valid != 0 ? valid : default_valid) * 1000;
  }
  return declare_zone(cf, cmd, parameters, data, initialize, main_of(cf).hot_caches);
}

}  // namespace

HotCacheLock::HotCacheLock(const ngx_shm_zone_t &zone) noexcept : memory_(hot_cache_of(zone).memory) {
  ngx_shmtx_lock(&memory_->mutex);
  auto *content = static_cast<HotCacheContent *>(memory_->data);
  if (content == nullptr || content->in_use != 0) {
    empty(zone, memory_);
    content = static_cast<HotCacheContent *>(memory_->data);
  }
  if (content != nullptr) {
    content->in_use = 1;
    keep_order();
  }
}

HotCacheLock::~HotCacheLock() {
  keep_order();
  if (auto *content = static_cast<HotCacheContent *>(memory_->data)) {
    content->in_use = 0;
  }
  ngx_shmtx_unlock(&memory_->mutex);
}

HotCacheUse use_of(const ngx_shm_zone_t &zone) noexcept {
  const HotCacheZone &ours = hot_cache_of(zone);
  const HotCacheLock lock(zone);
  if (!lock.is_good()) {
    return {0, 0, 0, zone.shm.size};
  }
  const auto pages = static_cast<ngx_uint_t>(ours.memory->last - ours.memory->pages);
  return {ours.content().entries, ours.content().evictions, (pages - ours.memory->pfree) * ngx_pagesize, zone.shm.size};
}

}  // namespace gateway

extern "C" char *phantom_token_set_hot_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  constexpr std::string_view parameters[] = {gateway::zone_parameter, gateway::valid_parameter};
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  return gateway::read_zone_line(cf, cmd, {parameters, std::size(parameters), gateway::read_declaration},
                                 location.hot_cache, location.hot_cache_at);
}
