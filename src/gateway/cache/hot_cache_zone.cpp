// phantom_token_hot_cache: its lines, and the zone of shared memory that one of them declares.

#include "hot_cache_zone.h"

#include <atomic>
#include <string_view>

#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"
#include "../configuration/zones.h"

namespace gateway {
namespace {

constexpr std::string_view zone_parameter = "zone=";
constexpr std::string_view valid_parameter = "valid=";
constexpr time_t default_valid = 10;
constexpr ngx_uint_t smallest_pages = 8;  // as nginx's other zones have it

struct ZoneParameters {
  std::string_view name;
  ssize_t size = 0;
  time_t valid = 0;  ///< 0: not given
};

bool has_prefix(std::string_view text, std::string_view prefix) noexcept {
  return text.substr(0, prefix.size()) == prefix;
}

char *refuse_line(ngx_conf_t *cf, const char *problem, const ngx_str_t &value) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"phantom_token_hot_cache\" %s: \"%V\"", problem, &value);
  return static_cast<char *>(NGX_CONF_ERROR);
}

/// NAME:SIZE
/// @return nullptr, or what is wrong.
const char *read_zone(std::string_view value, ZoneParameters &parameters) noexcept {
  if (!parameters.name.empty()) {
    return "has a second zone";
  }
  const std::size_t colon = value.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return "wants \"zone=NAME:SIZE\", such as \"zone=hot:16m\", it has";
  }
  parameters.name = value.substr(0, colon);
  if (parameters.name == metrics_zone) {
    return "has a zone by the name of the one that phantom_token_metrics has";
  }
  ngx_str_t size = to_ngx_str(value.substr(colon + 1));
  parameters.size = ngx_parse_size(&size);
  if (parameters.size == NGX_ERROR) {
    return "has a zone whose size is invalid, write it as in \"zone=hot:16m\"";
  }
  return parameters.size < static_cast<ssize_t>(smallest_pages * ngx_pagesize) ? "has a zone of less than 8 pages (32k)"
                                                                               : nullptr;
}

const char *read_valid(std::string_view value, ZoneParameters &parameters) noexcept {
  if (parameters.valid != 0) {
    return "has a second time";
  }
  ngx_str_t seconds = to_ngx_str(value);
  parameters.valid = ngx_parse_time(&seconds, 1);
  // In milliseconds it must fit a timer's difference.
  constexpr time_t longest = time_t{365} * 24 * 60 * 60;
  return parameters.valid < 1 || parameters.valid > longest ? "wants \"valid=\" with a time from 1s to 1y, it has"
                                                            : nullptr;
}

const char *read_parameter(std::string_view argument, ZoneParameters &parameters) noexcept {
  if (has_prefix(argument, zone_parameter)) {
    return read_zone(argument.substr(zone_parameter.size()), parameters);
  }
  if (has_prefix(argument, valid_parameter)) {
    return read_valid(argument.substr(valid_parameter.size()), parameters);
  }
  return "has an invalid parameter";
}

/// About as many buckets as there can be copies of small JWTs, a power of two.
ngx_uint_t count_buckets(std::size_t zone_size) noexcept {
  constexpr std::size_t small_copy = 1024;
  ngx_uint_t count = 1;
  while (count * 2 * small_copy <= zone_size) {
    count *= 2;
  }
  return count;
}

/// Keeps the compiler from moving what is done to a zone over the mark: the next worker sees what a killed one has
/// done.
void keep_order() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
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

char *declare(ngx_conf_t *cf, const ZoneParameters &parameters) noexcept {
  ngx_str_t name = copy(cf->pool, parameters.name);
  auto *data = make<HotCacheZone>(cf->pool);
  if (name.data == nullptr || data == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  ngx_shm_zone_t *zone =
      ngx_shared_memory_add(cf, &name, static_cast<size_t>(parameters.size), &ngx_http_phantom_token_module);
  if (zone == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  if (is_declared(*zone)) {
    return refuse_line(cf, "has a zone that another line declares", name);
  }
  data->valid = static_cast<ngx_msec_t>(parameters.valid != 0 ? parameters.valid : default_valid) * 1000;
  auto *listed = static_cast<ngx_shm_zone_t **>(ngx_array_push(&main_of(cf).hot_caches));
  if (listed == nullptr) {
    return static_cast<char *>(NGX_CONF_ERROR);
  }
  *listed = zone;
  zone->init = initialize;
  zone->data = data;
  return NGX_CONF_OK;
}

bool declares(const ngx_str_t *arguments, ngx_uint_t count) noexcept {
  for (ngx_uint_t i = 0; i < count; i++) {
    if (has_prefix(to_view(arguments[i]), zone_parameter) || has_prefix(to_view(arguments[i]), valid_parameter)) {
      return true;
    }
  }
  return false;
}

char *read_declaration(ngx_conf_t *cf, const ngx_str_t *arguments, ngx_uint_t count) noexcept {
  if ((cf->cmd_type & NGX_HTTP_MAIN_CONF) == 0) {
    return refuse_line(cf, "declares a zone outside of \"http\"", arguments[0]);
  }
  ZoneParameters parameters;
  for (ngx_uint_t i = 0; i < count; i++) {
    if (const char *problem = read_parameter(to_view(arguments[i]), parameters)) {
      return refuse_line(cf, problem, arguments[i]);
    }
  }
  if (parameters.name.empty()) {
    return refuse_line(cf, "has no \"zone=NAME:SIZE\" beside", arguments[0]);
  }
  return declare(cf, parameters);
}

/// The name of a zone, or "off".
char *choose(ngx_conf_t *cf, ngx_str_t name, phantom_token_location_t &location) noexcept {
  ngx_shm_zone_t *&slot = location.hot_cache;
  if (slot != NGX_CONF_UNSET_PTR) {
    return const_cast<char *>("is duplicate");
  }
  if (to_view(name) == "off") {
    slot = nullptr;
    return NGX_CONF_OK;
  }
  if (name.len == 0) {
    return refuse_line(cf, "wants the name of a zone or \"off\", it has", name);
  }
  location.hot_cache_at = {cf->conf_file->file.name, cf->conf_file->line};
  // Of no size: the line that declares it may come later.
  slot = ngx_shared_memory_add(cf, &name, 0, &ngx_http_phantom_token_module);
  return slot == nullptr ? static_cast<char *>(NGX_CONF_ERROR) : NGX_CONF_OK;
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

extern "C" char *phantom_token_set_hot_cache(ngx_conf_t *cf, ngx_command_t * /*cmd*/, void *conf) {
  const auto *arguments = static_cast<const ngx_str_t *>(cf->args->elts) + 1;
  const ngx_uint_t count = cf->args->nelts - 1;
  if (gateway::declares(arguments, count)) {
    return gateway::read_declaration(cf, arguments, count);
  }
  if (count != 1) {
    return gateway::refuse_line(cf, "has an invalid parameter", arguments[1]);
  }
  return gateway::choose(cf, arguments[0], *static_cast<phantom_token_location_t *>(conf));
}
