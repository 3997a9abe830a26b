#include "request_state.h"

#include "../../nginx/pool.h"
#include "../configuration/pool_memory.h"

namespace gateway {
namespace {

/// Nothing to clean up: the address of this function marks our entry in the pool's list.
void state_cleanup(void * /*data*/) noexcept {}

}  // namespace

RequestState *find_state(const ngx_http_request_t *r) noexcept {
  for (const ngx_pool_cleanup_t *cleanup = r->pool->cleanup; cleanup != nullptr; cleanup = cleanup->next) {
    if (cleanup->handler != state_cleanup) {
      continue;
    }
    auto *state = static_cast<RequestState *>(cleanup->data);
    if (state->request == r) {
      return state;
    }
  }
  return nullptr;
}

RequestState *find_state_above(const ngx_http_request_t *r) noexcept {
  for (; r != nullptr; r = r->parent) {
    if (RequestState *state = find_state(r)) {
      return state;
    }
  }
  return nullptr;
}

RequestState *get_state(ngx_http_request_t *r) noexcept {
  if (RequestState *state = find_state(r)) {
    return state;
  }

  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
  auto *state = make<RequestState>(r->pool);
  if (cleanup == nullptr || state == nullptr) {
    return nullptr;
  }
  // A parent's header may hold a JWT by now; its state still has what the client sent.
  if (const RequestState *parent = find_state_above(r)) {
    state->authorization = parent->authorization;
    state->taken = parent->taken;
  } else if (r->headers_in.authorization != nullptr) {
    state->authorization = r->headers_in.authorization->value;
  }
  state->request = r;
  cleanup->data = state;
  cleanup->handler = state_cleanup;
  return state;
}

}  // namespace gateway
