#pragma once

#include <iterator>
#include <string_view>

#include "../../oauth/outcome.h"
#include "../../oauth/revocation.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/as_request.h"

namespace gateway {

/// Upper bounds of the histogram of how long the authorization server takes, in milliseconds.
constexpr ngx_msec_t time_bounds[] = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

constexpr std::size_t outcome_count = static_cast<std::size_t>(oauth::Outcome::internal_error) + 1;
constexpr std::size_t cache_status_count = 8;  ///< 0: out of the hot cache; else NGX_HTTP_CACHE_* up to HIT
constexpr std::size_t as_request_kind_count = static_cast<std::size_t>(AsRequestKind::jwk_set) + 1;

/// What has come to phantom_token_revoke: the kinds of records (see revocation_line.h), and what is none of them.
constexpr std::size_t received_kind_count = oauth::revoked_kind_count + 3;
constexpr std::size_t received_event_kind = oauth::revoked_kind_count;  ///< a logout token; behind it a SET
constexpr std::size_t received_other_kind = received_kind_count - 1;    ///< a form that names nothing

/// What has come of it.
enum class Received : std::uint8_t {
  revoked,
  refused,      ///< it is not valid
  seen_before,  ///< an event token that came again
  unknown,      ///< an event or a subject that is valid, and revokes nothing
  failed,       ///< the zone is full, the state file cannot be written, or there are no keys: it may be sent again
};

constexpr std::size_t received_count = static_cast<std::size_t>(Received::failed) + 1;

/// Counters of all workers in shared memory, for phantom_token_metrics. Where no location has that, nothing is counted.
struct Metrics {  // NOLINT(bugprone-reserved-identifier): in the loop by which the compiler copies the arrays
  ngx_atomic_t requests[outcome_count];
  ngx_atomic_t cache_statuses[cache_status_count];
  ngx_atomic_t as_requests[as_request_kind_count][outcome_count];
  ngx_atomic_t as_times[std::size(time_bounds) + 1];  ///< each on its own; the last is for those beyond all bounds
  ngx_atomic_t as_milliseconds;
  ngx_atomic_t revocations[received_kind_count][received_count];
};

/// Declares the zone of shared memory that the counters are in; another time it is the same.
/// @return false where nginx refuses, which has been logged.
bool declare_metrics(ngx_conf_t *cf) noexcept;

/// @return the counters; nullptr where nothing is counted.
Metrics *find_metrics(const ngx_http_request_t *r) noexcept;

/// Counts a client's request that has ended.
void count_request(const ngx_http_request_t *r) noexcept;

/// Counts a request that has ended, if it has reached the authorization server: an answer of the cache costs that
/// nothing. To be called once for each.
/// @param outcome what the answer says, whatever the location makes of it.
void count_as_request(const ngx_http_request_t *r, const AsRequest &request, oauth::Outcome outcome) noexcept;

/// Counts what has come to phantom_token_revoke.
/// @param kind less than received_kind_count.
void count_revocation(const ngx_http_request_t *r, std::size_t kind, Received result) noexcept;

}  // namespace gateway
