#pragma once

#include <cstdint>
#include <string_view>

#include "../oauth/cache_key.h"
#include "../oauth/introspection.h"
#include "nginx.h"

namespace gateway {

/// One subrequest to an introspection endpoint and what came of it. It lives in the pool of the client's request, so
/// that it can be used again after redirects.
struct IntrospectionCall {
  // Before the subrequest: what is asked, and where.
  std::string_view endpoint;         ///< as configured, evaluated
  std::string_view request_body;     ///< what is sent to the authorization server
  char key[oauth::cache_key_size];   ///< $phantom_token_key
  std::size_t largest_response = 0;  ///< bytes
  oauth::Strings jwt_members;        ///< where the JWT may be in a JSON response

  // While it runs.
  bool arrived = false;        ///< the subrequest has come to the preaccess phase of its location
  bool strayed = false;        ///< it has come to another one then, by a redirect
  bool gave_up = false;        ///< the capture has refused the response at its header
  bool timed_out = false;      ///< the body took longer than the location's read timeout
  bool out_of_memory = false;  ///< the body could not be kept
  ngx_event_t *deadline = nullptr;
  bool done = false;

  // The response, as captured.
  oauth::IntrospectionResponse response;
  off_t declared_length = -1;  ///< Content-Length; -1 where there was none
  std::size_t body_capacity = 0;
  ngx_str_t retry_after = ngx_null_string;
  ngx_str_t location_name = ngx_null_string;  ///< of the location that served the subrequest
  ngx_uint_t cache_status = 0;                ///< NGX_HTTP_CACHE_*; 0 where no cache was asked
  const char *misconfiguration = nullptr;     ///< why the response must not count; a constant for the log line

  // What it means; read on first use.
  bool interpreted = false;
  oauth::Introspection introspection;
};

/// Starts a subrequest to the endpoint. Once call.done is set, nginx wakes the parent.
/// @param endpoint evaluated; must live as long as the request's pool.
/// @param token the client's opaque token.
/// @return the call, or nullptr where there is no memory or nginx refuses another subrequest; that has been logged.
IntrospectionCall *start_introspection(ngx_http_request_t *r, const phantom_token_location_t &location,
                                       std::string_view endpoint, std::string_view token) noexcept;

/// @return the call that this request carries out, or nullptr where it is a request of somebody else's.
IntrospectionCall *call_of(const ngx_http_request_t *r) noexcept;

/// @return the call that this request or one of its parents carries out; nginx's own background updates of the cache
///   are such children.
IntrospectionCall *call_above(const ngx_http_request_t *r) noexcept;

/// Computes $phantom_token_key for a token and an endpoint.
/// @param hex room for oauth::cache_key_size characters.
/// @return false where OpenSSL fails.
bool introspection_key(const ngx_http_request_t *r, std::string_view endpoint, std::string_view token,
                       char *hex) noexcept;

}  // namespace gateway
