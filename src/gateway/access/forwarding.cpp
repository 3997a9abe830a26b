#include "forwarding.h"

#include <utility>

#include "../cache/hot_cache.h"
#include "../configuration/module_configuration.h"
#include "authorization.h"

namespace gateway {
namespace {

/// Once for each answer: a copy lives for as long as the zone's `valid` from its answer on, and not from a later use of
/// the answer, by an include or after a redirect of the same request.
void keep(ngx_http_request_t *r, AsRequest &answer, const phantom_token_location_t &location) noexcept {
  const time_t until = std::exchange(answer.captured.cache.held_until, 0);
  if (location.hot_cache != nullptr && until != 0) {
    keep_hot_copy(r, *location.hot_cache, answer.asked.key, answer.interpreted.information, until);
  }
}

}  // namespace

const jose::Jwt &jwt_of(const RequestState &state) noexcept {
  return state.client_jwt != nullptr ? state.client_jwt->jwt : state.answer->interpreted.information.jwt;
}

bool forward_jwt(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location) noexcept {
  std::string_view value = state.client_jwt != nullptr ? std::string_view() : state.answer->interpreted.authorization;
  if (value.empty()) {
    value = make_authorization(r, jwt_of(state).compact);
  }
  if (value.empty() || !set_authorization(r, value)) {
    return false;
  }
  if (state.client_jwt == nullptr) {
    keep(r, *state.answer, location);
  }
  return true;
}

}  // namespace gateway
