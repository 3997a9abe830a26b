#include "coalescing.h"

#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"

namespace gateway {

/// A call that others may follow, in the pool of the request that leads.
struct Flight {
  ngx_queue_t link = {};
  ngx_queue_t followers = {};
  Call *call = nullptr;
  bool is_registered = false;
};

namespace {

/// Each follower has a copy in its own pool, and reading rewrites it. Of a larger answer each gets its own, so that the
/// copies of one answer take no more than this for each that waits.
constexpr std::size_t largest_shared_body = 65536;

struct Follower {
  ngx_queue_t link = {};
  ngx_event_t timer = {};
  ngx_http_request_t *request = nullptr;
  Call *call = nullptr;
  bool is_registered = false;
};

/// Of this worker. While the authorization server hangs, there can be thousands.
constexpr std::size_t bucket_count = 1024;
ngx_queue_t buckets[bucket_count];

ngx_queue_t *bucket_of(const AnswerKey &question) noexcept {
  ngx_queue_t *bucket = &buckets[question.hash % bucket_count];
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

void abandon(Follower &follower, bool must_ask_alone) noexcept {
  follower.call->abandoned = true;
  follower.call->must_ask_alone = must_ask_alone;
}

/// Takes each follower off the flight, lets it know, and wakes it.
template <typename Tell>
void dismiss(Flight &flight, Tell tell) noexcept {
  remove(flight.link, flight.is_registered);
  while (!ngx_queue_empty(&flight.followers)) {
    auto *follower = ngx_queue_data(ngx_queue_head(&flight.followers), Follower, link);
    leave(*follower);
    tell(*follower);
    wake(follower->request);
  }
}

/// The leader's client has gone, or its request has failed in another way: one of the others will lead.
void abandon_all(void *data) {
  dismiss(*static_cast<Flight *>(data), [](Follower &follower) noexcept { abandon(follower, false); });
}

void stop_following(void *data) {
  leave(*static_cast<Follower *>(data));
}

/// It has waited for another's answer long enough.
void lose_patience(ngx_event_t *event) {
  auto &follower = *static_cast<Follower *>(event->data);
  leave(follower);
  abandon(follower, follower.call->is_about_token);
  wake(follower.request);
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

Flight *find(const AnswerKey &question) noexcept {
  const ngx_queue_t *bucket = bucket_of(question);
  for (ngx_queue_t *link = ngx_queue_head(bucket); link != ngx_queue_sentinel(bucket); link = ngx_queue_next(link)) {
    auto *flight = ngx_queue_data(link, Flight, link);
    if (flight->call->question == question) {
      return flight;
    }
  }
  return nullptr;
}

bool is_old(const Flight &flight) noexcept {
  return flight.call->is_about_token && ngx_current_msec - flight.call->started >= longest_wait_for_others;
}

bool copy_text(ngx_pool_t *pool, std::string_view from, std::string_view &to) noexcept {
  const ngx_str_t copied = copy(pool, from);
  to = to_view(copied);
  return copied.data != nullptr;
}

/// Whatever lives in the leader's pool ends with it.
bool copy_response(ngx_pool_t *pool, const Call &from, Call &to) noexcept {
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
void copy_keys_result(const Call &from, Call &to) noexcept {
  to.misconfiguration = from.misconfiguration;
  to.refreshes_keys = from.refreshes_keys;
  to.done = true;
}

void copy_result(const Call &from, Follower &follower) noexcept {
  Call &to = *follower.call;
  if (!copy_response(follower.request->pool, from, to)) {
    to.response = {};
    to.out_of_memory = true;
  }
  to.out_of_memory |= from.out_of_memory;
  to.redirected = from.redirected;
  to.misconfiguration = from.misconfiguration;
  to.authorization = from.authorization;
  to.location_name = from.location_name;
  to.contact = from.contact;
  to.cache_status = from.cache_status;
  to.is_being_renewed = from.is_being_renewed;
  to.cached_until = from.cached_until;
  to.duration = ngx_current_msec - to.started;
  to.done = true;
}

/// Whether the authorization server has given one, right or wrong. A connection that was refused, reset or too slow
/// says nothing about the next.
bool is_answer(const Call &call) noexcept {
  return call.response.answered && !call.timed_out &&
         (call.response.complete || call.gave_up || call.response.too_large);
}

}  // namespace

void lead(ngx_http_request_t *r, Call &call) noexcept {
  auto *flight = make_with_cleanup<Flight>(r, abandon_all);
  if (flight == nullptr) {
    return;
  }
  ngx_queue_init(&flight->followers);
  flight->call = &call;
  call.flight = flight;
  ngx_queue_insert_tail(bucket_of(call.question), &flight->link);
  flight->is_registered = true;
}

bool is_under_way(const AnswerKey &question) noexcept {
  return find(question) != nullptr;
}

Call *follow(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question,
             ngx_msec_t patience) noexcept {
  Flight *flight = find(question);
  if (flight == nullptr) {
    return nullptr;
  }
  if (is_old(*flight)) {
    remove(flight->link, flight->is_registered);
    return nullptr;
  }
  auto *follower = make_with_cleanup<Follower>(r, stop_following);
  Call *call =
      flight->call->is_about_token ? make_token_call(r, location, question) : make_keys_call(r, location, question);
  if (follower == nullptr || call == nullptr) {
    return nullptr;
  }
  call->started = ngx_current_msec;
  follower->request = r;
  follower->call = call;
  follower->timer.handler = lose_patience;
  follower->timer.data = follower;
  follower->timer.log = r->connection->log;
  ngx_add_timer(&follower->timer, patience);
  ngx_queue_insert_tail(&flight->followers, &follower->link);
  follower->is_registered = true;
  return call;
}

void share(Call &call) noexcept {
  if (call.flight == nullptr) {
    return;
  }
  const bool is_shared = call.is_for_all && is_answer(call) && call.response.body_size <= largest_shared_body;
  dismiss(*call.flight, [&](Follower &follower) noexcept {
    if (!call.is_about_token) {
      copy_keys_result(call, *follower.call);
    } else if (is_shared) {
      copy_result(call, follower);
    } else {
      abandon(follower, is_answer(call));
    }
  });
}

}  // namespace gateway
