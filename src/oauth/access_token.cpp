#include "access_token.h"

namespace oauth {

bool is_access_token_type(const jose::Jwt &jwt) noexcept {
  return jwt.header->member("typ") == nullptr || jose::has_type(jwt, "JWT") || jose::has_type(jwt, "at+jwt");
}

}  // namespace oauth
