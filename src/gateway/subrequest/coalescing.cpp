#include "coalescing.h"

#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"

namespace gateway {

/// A request that others may follow, in the pool of the client's request that leads.
struct Leader {
  ngx_queue_t link = {};
  ngx_queue_t followers = {};
  AsRequest *request = nullptr;
  bool is_registered = false;
};

namespace {

/// Each follower has a copy in its own pool, and reading rewrites it. Of a larger answer each gets its own, so that the
/// copies of one answer take no more than this for each that waits.
constexpr std::size_t largest_shared_body = 65536;

struct Follower {
  ngx_queue_t link = {};
  ngx_event_t timer = {};
  ngx_http_request_t *client = nullptr;
  AsRequest *request = nullptr;
  bool is_registered = false;
};

/// Of this worker. While the authorization server hangs, there can be thousands.
constexpr std::size_t bucket_count = 1024;
ngx_queue_t buckets[bucket_count];

ngx_queue_t *bucket_of(const AnswerKey &key) noexcept {
  ngx_queue_t *bucket = &buckets[key.hash % bucket_count];
  if (bucket->next == nullptr) {
    ngx_queue_init(bucket);
  }
  return bucket;
}

void remove(ngx_queue_t &link, bool &is_registered) noexcept {
  if (is_registered) {
    ngx_queue_remove(&link);
    is_registered = false;
  }
}

void leave(Follower &follower) noexcept {
  remove(follower.link, follower.is_registered);
  if (follower.timer.timer_set != 0) {
    ngx_del_timer(&follower.timer);
  }
}

/// As limit_req's timer does: nginx calls the request, which is the active one of its connection.
void wake(const ngx_http_request_t *r) noexcept {
  ngx_post_event(r->connection->write, &ngx_posted_events);
}

void abandon(const Follower &follower, bool must_ask_alone) noexcept {
  follower.request->running.progress = must_ask_alone ? Progress::must_ask_alone : Progress::abandoned;
}

/// Takes each follower off the leader, tells it what comes of that, and wakes it.
template <typename Tell>
void dismiss(Leader &leader, Tell tell) noexcept {
  remove(leader.link, leader.is_registered);
  while (!ngx_queue_empty(&leader.followers)) {
    auto *follower = ngx_queue_data(ngx_queue_head(&leader.followers), Follower, link);
    leave(*follower);
    tell(*follower);
    wake(follower->client);
  }
}

/// The leader's client has gone, or its request has failed in another way: one of the others will lead.
void abandon_all(void *data) noexcept {
  dismiss(*static_cast<Leader *>(data), [](Follower &follower) noexcept { abandon(follower, false); });
}

void stop_following(void *data) noexcept {
  leave(*static_cast<Follower *>(data));
}

/// It has waited for another's answer long enough.
void lose_patience(ngx_event_t *event) noexcept {
  auto &follower = *static_cast<Follower *>(event->data);
  leave(follower);
  abandon(follower, follower.request->asked.is_about_token());
  wake(follower.client);
}

template <typename T>
T *make_with_cleanup(ngx_http_request_t *r, ngx_pool_cleanup_pt handler) noexcept {
  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
  auto *made = make<T>(r->pool);
  if (cleanup == nullptr || made == nullptr) {
    return nullptr;
  }
  cleanup->handler = handler;
  cleanup->data = made;
  return made;
}

Leader *find(const AnswerKey &key) noexcept {
  const ngx_queue_t *bucket = bucket_of(key);
  for (ngx_queue_t *link = ngx_queue_head(bucket); link != ngx_queue_sentinel(bucket); link = ngx_queue_next(link)) {
    auto *leader = ngx_queue_data(link, Leader, link);
    if (leader->request->asked.key == key) {
      return leader;
    }
  }
  return nullptr;
}

bool is_old(const Leader &leader) noexcept {
  const AsRequest &request = *leader.request;
  return request.asked.is_about_token() && ngx_current_msec - request.running.started >= longest_wait_for_others;
}

bool copy_text(ngx_pool_t *pool, std::string_view from, std::string_view &to) noexcept {
  const ngx_str_t copied = copy(pool, from);
  to = to_view(copied);
  return copied.data != nullptr;
}

/// Whatever lives in the leader's pool ends with it.
bool copy_response(ngx_pool_t *pool, const CapturedResponse &from, CapturedResponse &to) noexcept {
  const ngx_str_t body = copy(pool, {from.response.body, from.response.body_size});  // with room for a terminator
  to.retry_after = copy(pool, to_view(from.retry_after));
  to.redirect_target = copy(pool, to_view(from.redirect_target));
  to.response = from.response;
  to.response.body = reinterpret_cast<char *>(body.data);
  return body.data != nullptr && to.retry_after.data != nullptr && to.redirect_target.data != nullptr &&
         copy_text(pool, from.response.content_type, to.response.content_type) &&
         copy_text(pool, from.response.content_encoding, to.response.content_encoding);
}

/// What a JWK Set brings is in the key store by now.
void copy_jwk_set_result(const AsRequest &from, AsRequest &to) noexcept {
  to.captured.misconfiguration = from.captured.misconfiguration;
  to.asked.bypasses_cache = from.asked.bypasses_cache;
}

void copy_result(const AsRequest &leading, const Follower &follower) noexcept {
  const CapturedResponse &from = leading.captured;
  CapturedResponse &to = follower.request->captured;
  // What has been sent, should the server repeat it: the log must not. The assertion lives in the leader's pool.
  follower.request->asked.authorization = leading.asked.authorization;
  to.fault = from.fault;
  if (!copy_text(follower.client->pool, leading.asked.client_assertion, follower.request->asked.client_assertion) ||
      !copy_response(follower.client->pool, from, to)) {
    to.response = {};
    to.fault = CaptureFault::no_memory;
  }
  to.misconfiguration = from.misconfiguration;
  to.location_name = from.location_name;
  to.contact = from.contact;
  to.cache.status = from.cache.status;
  to.cache.is_being_renewed = from.cache.is_being_renewed;
  to.cache.held_until = from.cache.held_until;
  to.duration = ngx_current_msec - follower.request->running.started;
}

/// Whether the authorization server has given one, right or wrong. A connection that was refused, reset or too slow
/// says nothing about the next.
bool is_answer(const CapturedResponse &captured) noexcept {
  const bool is_given_up = captured.fault == CaptureFault::given_up;
  return captured.response.answered && captured.fault != CaptureFault::timed_out &&
         (captured.response.complete || is_given_up || captured.response.too_large);
}

}  // namespace

void lead(ngx_http_request_t *r, AsRequest &request) noexcept {
  auto *leader = make_with_cleanup<Leader>(r, abandon_all);
  if (leader == nullptr) {
    return;
  }
  ngx_queue_init(&leader->followers);
  leader->request = &request;
  request.running.leader = leader;
  ngx_queue_insert_tail(bucket_of(request.asked.key), &leader->link);
  leader->is_registered = true;
}

bool has_leader(const AnswerKey &key) noexcept {
  return find(key) != nullptr;
}

bool follow(ngx_http_request_t *r, AsRequest &request, ngx_msec_t patience) noexcept {
  Leader *leader = find(request.asked.key);
  if (leader == nullptr) {
    return false;
  }
  if (is_old(*leader)) {
    remove(leader->link, leader->is_registered);
    return false;
  }
  auto *follower = make_with_cleanup<Follower>(r, stop_following);
  if (follower == nullptr) {
    return false;
  }
  request.running.progress = Progress::sent;
  request.running.started = ngx_current_msec;
  follower->client = r;
  follower->request = &request;
  follower->timer.handler = lose_patience;
  follower->timer.data = follower;
  follower->timer.log = r->connection->log;
  ngx_add_timer(&follower->timer, patience);
  ngx_queue_insert_tail(&leader->followers, &follower->link);
  follower->is_registered = true;
  ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: the answer to another request is awaited");
  return true;
}

void share(AsRequest &request) noexcept {
  if (request.running.leader == nullptr) {
    return;
  }
  const CapturedResponse &captured = request.captured;
  const bool is_shared =
      captured.is_for_all && is_answer(captured) && captured.response.body_size <= largest_shared_body;
  dismiss(*request.running.leader, [&](Follower &follower) noexcept {
    if (request.asked.is_about_token() && !is_shared) {
      abandon(follower, is_answer(captured));
      return;
    }
    if (request.asked.is_about_token()) {
      copy_result(request, follower);
    } else {
      copy_jwk_set_result(request, *follower.request);
    }
    follower.request->running.progress = Progress::done;
  });
}

}  // namespace gateway
