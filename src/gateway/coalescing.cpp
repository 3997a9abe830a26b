#include "coalescing.h"

#include "pool_memory.h"
#include "text.h"

namespace gateway {

/// A call that others may follow, in the pool of the request that leads.
struct Flight {
  ngx_queue_t link = {};
  ngx_queue_t followers = {};
  Call *call = nullptr;
  bool is_registered = false;
};

namespace {

struct Follower {
  ngx_queue_t link = {};
  ngx_http_request_t *request = nullptr;
  Call *call = nullptr;
  bool is_registered = false;
};

/// Of this worker. Few at a time: each costs a call to the authorization server, beside which a walk over all is cheap.
ngx_queue_t *all_flights() noexcept {
  static ngx_queue_t flights = {nullptr, nullptr};
  if (flights.next == nullptr) {
    ngx_queue_init(&flights);
  }
  return &flights;
}

void remove(ngx_queue_t &link, bool &is_registered) noexcept {
  if (is_registered) {
    ngx_queue_remove(&link);
    is_registered = false;
  }
}

/// As a timer does for limit_req: nginx runs the request's phases again, from the handler that waits.
void wake(ngx_http_request_t *r) noexcept {
  ngx_post_event(r->connection->write, &ngx_posted_events);
}

/// Takes each follower off the flight, lets it know, and wakes it.
template <typename Tell>
void dismiss(Flight &flight, Tell tell) noexcept {
  remove(flight.link, flight.is_registered);
  while (!ngx_queue_empty(&flight.followers)) {
    auto *follower = ngx_queue_data(ngx_queue_head(&flight.followers), Follower, link);
    remove(follower->link, follower->is_registered);
    tell(*follower);
    wake(follower->request);
  }
}

/// The leader's client has gone, or its request has failed in another way: one of the others will lead.
void abandon(void *data) {
  dismiss(*static_cast<Flight *>(data), [](Follower &follower) noexcept { follower.call->abandoned = true; });
}

void stop_following(void *data) {
  auto &follower = *static_cast<Follower *>(data);
  remove(follower.link, follower.is_registered);
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

Flight *find(const Question &question) noexcept {
  const ngx_queue_t *flights = all_flights();
  for (ngx_queue_t *link = ngx_queue_head(flights); link != ngx_queue_sentinel(flights); link = ngx_queue_next(link)) {
    auto *flight = ngx_queue_data(link, Flight, link);
    if (flight->call->question == question) {
      return flight;
    }
  }
  return nullptr;
}

bool copy_text(ngx_pool_t *pool, std::string_view from, std::string_view &to) noexcept {
  const ngx_str_t copied = copy(pool, from);
  to = view(copied);
  return copied.data != nullptr;
}

/// Whatever lives in the leader's pool ends with it.
bool copy_response(ngx_pool_t *pool, const Call &from, Call &to) noexcept {
  const ngx_str_t body = copy(pool, {from.response.body, from.response.body_size});  // with room for a terminator
  to.retry_after = copy(pool, view(from.retry_after));
  to.redirect_target = copy(pool, view(from.redirect_target));
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
  to.strayed = from.strayed;
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

}  // namespace

void lead(ngx_http_request_t *r, Call &call) noexcept {
  auto *flight = make_with_cleanup<Flight>(r, abandon);
  if (flight == nullptr) {
    return;
  }
  ngx_queue_init(&flight->followers);
  flight->call = &call;
  call.flight = flight;
  ngx_queue_insert_tail(all_flights(), &flight->link);
  flight->is_registered = true;
}

bool is_under_way(const Question &question) noexcept {
  return find(question) != nullptr;
}

Call *follow(ngx_http_request_t *r, const phantom_token_location_t &location, const Question &question) noexcept {
  Flight *flight = find(question);
  if (flight == nullptr) {
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
  ngx_queue_insert_tail(&flight->followers, &follower->link);
  follower->is_registered = true;
  return call;
}

void share(Call &call) noexcept {
  if (call.flight == nullptr) {
    return;
  }
  dismiss(*call.flight, [&](Follower &follower) noexcept {
    if (!call.is_about_token) {
      copy_keys_result(call, *follower.call);
    } else if (call.is_for_all) {
      copy_result(call, follower);
    } else {
      follower.call->abandoned = true;
      follower.call->must_ask_alone = true;
    }
  });
}

}  // namespace gateway
