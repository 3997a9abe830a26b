#include "forwarding.h"

#include "../cache/hot_cache.h"
#include "../configuration/module_configuration.h"
#include "authorization.h"

namespace gateway {
namespace {

void keep(ngx_http_request_t *r, const AsRequest &answer, const phantom_token_location_t &location) noexcept {
  if (location.hot_cache != nullptr && answer.captured.cache.held_until != 0) {
    keep_hot_copy(r, *location.hot_cache, answer.asked.key, answer.interpreted.information,
                  answer.captured.cache.held_until);
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
