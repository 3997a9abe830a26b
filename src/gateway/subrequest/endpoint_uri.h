#pragma once

#include "../configuration/module_configuration.h"

namespace gateway {

/// Evaluates an endpoint in the client's request. After a redirect from another protected location, Authorization holds
/// a JWT by now; a map over $http_authorization sees what the client has sent, or another authorization server would be
/// chosen for the same token.
/// @return false where there is no memory.
bool evaluate_endpoint(ngx_http_request_t *r, ngx_http_complex_value_t *endpoint, ngx_str_t &uri) noexcept;

}  // namespace gateway
