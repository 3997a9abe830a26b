#include "revocation_check.h"

#include "../cache/hot_cache.h"
#include "../cache/revocations.h"

namespace gateway {

using oauth::Outcome;

AccessStep check_revocation(const RequestState &state, const phantom_token_location_t &location) noexcept {
  if (location.revocation == nullptr) {
    return go_on();
  }
  switch (find_revoked(*location.revocation, state.token, interpreted_of(state).information)) {
    case Revoked::no:
      return go_on();
    case Revoked::yes:
      if (location.hot_cache != nullptr && state.client_jwt == nullptr) {
        drop_hot_copies(*location.hot_cache, state.answer->asked.key);
      }
      return {{Outcome::revoked, "the token has been revoked"}};
    default:
      return {{Outcome::internal_error, "revocations cannot be looked up: OpenSSL failed"}};
  }
}

}  // namespace gateway
