#pragma once

#include <string_view>

#include "../../jose/signature.h"
#include "../configuration/module_configuration.h"
#include "as_request.h"

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
jose::KeySet *usable_keys(const KeyStoreEntry &entry, time_t now) noexcept;

/// @return nullptr, or a constant for the log line: what has been wrong with the location that the endpoint leads to.
const char *find_misconfiguration(const KeyStoreEntry &entry) noexcept;

/// @return whether the endpoint is to be asked: no set has come yet, or the last is over a minute old.
bool is_fetch_due(const KeyStoreEntry &entry, time_t now) noexcept;

/// @return whether it may be asked for a key that is not in the set: once in ten seconds over all tokens.
bool is_refresh_due(const KeyStoreEntry &entry, time_t now) noexcept;

/// Notes that a request for the set has begun.
void note_request(KeyStoreEntry &entry) noexcept;

/// @return whether requests before the last one have ended with their clients' and brought nothing.
bool has_lost_requests(const KeyStoreEntry &entry) noexcept;

/// Takes the set out of the response to a request that has ended, whoever still waits for it; logs what is wrong with
/// it, and then keeps the last good one. Only now the next request has its time: one that brought nothing takes none.
/// @return active, or what is wrong.
oauth::Outcome store_keys(const ngx_http_request_t *subrequest, const AsRequest &request) noexcept;

/// Frees all sets: at a worker's end, and where one process reads a new configuration.
void clear_key_store() noexcept;

}  // namespace gateway
