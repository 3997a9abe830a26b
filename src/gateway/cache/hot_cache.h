#pragma once

#include "../../oauth/token_information.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/answer_key.h"
#include "answer_copy.h"

namespace gateway {

/// Looks an answer up, by all parts of the key: other keys with its hash are told apart.
/// @param copy set where the result is true.
/// @return whether there is one that still lives.
bool find_hot_copy(ngx_shm_zone_t &zone, const AnswerKey &key, ngx_pool_t *pool, AnswerCopy &copy) noexcept;

/// Keeps a copy of an answer that has been accepted. A zone without room for it loses the copies that have not been
/// used for longest; a copy that does not fit at all is left out, for no request depends on it.
/// @param until when proxy_cache's entry ends, in seconds since the epoch. The copy ends then, or with the token's own
///   `exp`, or after the zone's `valid`.
void keep_hot_copy(ngx_http_request_t *r, ngx_shm_zone_t &zone, const AnswerKey &key,
                   const oauth::TokenInformation &information, time_t until) noexcept;

}  // namespace gateway
