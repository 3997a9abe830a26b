#include "policy.h"

#include <string_view>

#include "pool_memory.h"
#include "text.h"

namespace gateway {
namespace {

constexpr std::string_view default_jwt_members[] = {"jwt", "phantom_token", "token_string"};

/// @param strings set where the result is true.
bool read_strings(ngx_pool_t *pool, const ngx_array_t *array, oauth::Strings &strings) noexcept {
  if (array == nullptr || array->nelts == 0) {
    strings = {};
    return true;
  }

  auto *views = static_cast<std::string_view *>(ngx_palloc(pool, array->nelts * sizeof(std::string_view)));
  if (views == nullptr) {
    return false;
  }
  const auto *elements = static_cast<const ngx_str_t *>(array->elts);
  for (ngx_uint_t i = 0; i < array->nelts; i++) {
    new (&views[i]) std::string_view(view(elements[i]));
  }
  strings = {views, array->nelts};
  return true;
}

}  // namespace

phantom_token_policy_t *make_policy(ngx_pool_t *pool, const phantom_token_location_t &location) noexcept {
  auto *policy = make<phantom_token_policy_t>(pool);
  if (policy == nullptr || !read_strings(pool, location.scopes, policy->claims.scopes) ||
      !read_strings(pool, location.issuers, policy->claims.issuers) ||
      !read_strings(pool, location.audiences, policy->claims.audiences) ||
      !read_strings(pool, location.jwt_members, policy->jwt_members)) {
    return nullptr;
  }

  if (policy->jwt_members.empty()) {
    policy->jwt_members = {default_jwt_members, std::size(default_jwt_members)};
  }
  policy->claims.scope_match = location.scope_match == 0 ? oauth::ScopeMatch::all : oauth::ScopeMatch::any;
  policy->claims.leeway = location.leeway;
  policy->claims.accept_sender_constrained = location.pass_sender_constrained != 0;
  return policy;
}

}  // namespace gateway
