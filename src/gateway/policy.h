#pragma once

#include "../oauth/decision.h"
#include "../oauth/strings.h"
#include "nginx.h"

/// What src/oauth needs to know of a location, as views into the configuration.
struct phantom_token_policy_s {
  oauth::Policy claims;
  oauth::Strings jwt_members;
};

namespace gateway {

/// @return the policy of a merged location, in the configuration's pool; nullptr where there is no memory.
phantom_token_policy_t *make_policy(ngx_pool_t *pool, const phantom_token_location_t &location) noexcept;

}  // namespace gateway
