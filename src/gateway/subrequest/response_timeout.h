#pragma once

#include "as_request.h"

namespace gateway {

/// Makes the request's timer end with the pool. Comes before start_timeout().
/// @return false where there is no memory.
bool prepare_timeout(ngx_pool_t *pool, AsRequest &request) noexcept;

/// phantom_token_response_timeout: from the start of the subrequest to the end of the answer, whatever the subrequest
/// waits for meanwhile.
void start_timeout(AsRequest &request, ngx_msec_t timeout) noexcept;

}  // namespace gateway
