#pragma once

#include "../configuration/module_configuration.h"
#include "../subrequest/answer_key.h"
#include "../subrequest/as_request.h"
#include "answer_copy.h"

namespace gateway {

/// What a hot copy is found by.
struct CopyKey {
  const AnswerKey &answer;
  std::string_view
      signing;  ///< SigningSettings::digest: each of them has a copy of its own; empty: any of them will do
};

/// From when to when a copy lives, at most. Its zone's `valid` and the token's own `exp` may end it earlier.
struct CopyLife {
  time_t until = 0;      ///< when proxy_cache's entry ends, in seconds since the epoch
  ngx_msec_t since = 0;  ///< by the clock that nobody sets
};

struct HotCopy {
  AnswerCopy answer;  ///< without its authorization where that has been signed
  SignedAuthorization
      signed_authorization;  ///< the one for the key's `signing`; its value is empty where there is none
  CopyLife life;
};

/// Looks an answer up, by all parts of the key: other keys with its hash are told apart. Where there is no copy that
/// has been signed as the key says, another copy of the answer will do, which is to be signed.
/// @param copy set where the result is true.
/// @return whether there is one that still lives.
bool find_hot_copy(ngx_shm_zone_t &zone, const CopyKey &key, ngx_pool_t *pool, HotCopy &copy) noexcept;

/// Keeps a copy of an answer that has been accepted, with what the gateway has signed where the key says so. A zone
/// without room for it loses the copies that have not been used for longest; a copy that does not fit at all is left
/// out, for no request depends on it.
void keep_hot_copy(ngx_http_request_t *r, ngx_shm_zone_t &zone, const CopyKey &key, const InterpretedAnswer &answer,
                   const CopyLife &life) noexcept;

/// Removes all copies of an answer.
void drop_hot_copies(ngx_shm_zone_t &zone, const AnswerKey &key) noexcept;

}  // namespace gateway
