#pragma once

#include "../configuration/module_configuration.h"
#include "call.h"

namespace gateway {

/// Makes the call's timer end with the pool. Comes before start_timeout().
/// @return false where there is no memory.
bool prepare_timeout(ngx_pool_t *pool, Call &call) noexcept;

/// phantom_token_response_timeout: from the start of a call's subrequest to the end of the answer, whatever the
/// subrequest waits for meanwhile.
void start_timeout(Call &call, ngx_msec_t timeout) noexcept;

void stop_timeout(Call &call) noexcept;

}  // namespace gateway
