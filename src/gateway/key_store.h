#pragma once

#include <string_view>

#include "../oauth/signature.h"
#include "call.h"
#include "nginx.h"

namespace gateway {

/// The JWK Set of one endpoint as this worker knows it. Sets are parsed once per change.
struct KeyStoreEntry;

/// @return seconds of the clock that nobody sets, for the functions below: ages are measured here, and no dates.
time_t key_store_time() noexcept;

/// @param endpoint evaluated.
/// @return the entry of this endpoint of the request's server, made where it is new; nullptr where there is no memory.
KeyStoreEntry *find_keys(const ngx_http_request_t *r, std::string_view endpoint) noexcept;

/// @return the keys, as long as they may be used: nullptr where none came yet, or the last good set is over an hour
/// old.
oauth::KeySet *usable_keys(const KeyStoreEntry &entry, time_t now) noexcept;

/// Whether this request is to ask the endpoint: no set has come yet, or the last is over a minute old. Says so once in
/// ten seconds, while others go on with the set that is there.
bool claim_fetch(KeyStoreEntry &entry, time_t now) noexcept;

/// The same for a signature whose key is not in the set; once in ten seconds over all tokens.
bool claim_refresh(KeyStoreEntry &entry, time_t now) noexcept;

/// Takes the set out of the response to a call for it; logs what is wrong with it, and then keeps the last good one.
/// @return active, or what is wrong.
oauth::Outcome store_keys(const ngx_http_request_t *r, KeyStoreEntry &entry, const Call &call, time_t now) noexcept;

/// Frees all sets; a worker's end.
void clear_key_store() noexcept;

}  // namespace gateway
