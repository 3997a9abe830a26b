#pragma once

#include <cstdint>
#include <string_view>

#include "../../jose/digest.h"
#include "../../oauth/introspection.h"
#include "../../oauth/response.h"
#include "../configuration/module_configuration.h"
#include "answer_key.h"
#include "contact.h"

namespace gateway {

struct Flight;
struct SubrequestHeaders;

/// One question to an endpoint of the authorization server and what came of it: by a subrequest of this request or of
/// one that it follows, or out of the hot cache. It lives in the pool of the client's request, so that it can be used
/// again after redirects.
struct Call {
  // Before the subrequest: what is asked, and where.
  AnswerKey question;                ///< of one for the JWK Set only the endpoint
  std::string_view request_body;     ///< what is sent; empty: the method is GET
  std::string_view authorization;    ///< the gateway's own, which is sent; empty where none is
  std::size_t largest_response = 0;  ///< bytes
  char key[jose::hex_digest_size];   ///< $phantom_token_key
  bool request_has_secret = false;   ///< the body holds the gateway's client_secret
  bool endpoint_varies = false;      ///< its directive has variables, whose value is a part of the question

  // Where the question is about a token.
  bool is_about_token = false;
  bool is_exchange = false;               ///< RFC 8693, not introspection
  jose::Strings jwt_members;              ///< where the JWT may be in an introspection response
  std::string_view requested_token_type;  ///< of an exchange
  const oauth::InactiveStatuses *inactive_statuses = nullptr;

  // While it runs.
  ngx_http_request_t *subrequest = nullptr;  ///< nullptr where another request's call is followed
  ngx_http_posted_request_t wake = {};       ///< for the request that waits
  SubrequestHeaders *headers = nullptr;
  Flight *flight = nullptr;                  ///< where other requests may follow it
  ngx_event_t timeout = {};                  ///< phantom_token_response_timeout
  const ngx_event_t *server_read = nullptr;  ///< of the connection to the server, from the response's header on
  ngx_msec_t started = 0;
  bool refreshes_keys = false;  ///< $phantom_token_jwks_refresh, of one for the JWK Set
  bool arrived = false;         ///< the subrequest has come to the preaccess phase of its location
  bool redirected = false;      ///< it has been redirected after that
  bool gave_up = false;         ///< the capture has refused the response at its header
  bool timed_out = false;       ///< phantom_token_response_timeout has passed
  bool out_of_memory = false;   ///< the body could not be kept
  bool done = false;
  bool abandoned = false;       ///< the one that it follows has ended without an answer for it
  bool must_ask_alone = false;  ///< the next one would not have one either
  bool is_for_all = false;      ///< it may be kept, and is for all who ask the question: see answers_question()

  // The response, as captured.
  oauth::Response response;
  off_t declared_length = -1;  ///< Content-Length; -1 where there was none
  std::size_t body_capacity = 0;
  ngx_msec_t duration = 0;
  ngx_str_t retry_after = ngx_null_string;
  ngx_str_t redirect_target = ngx_null_string;  ///< the Location of the answer
  Contact contact = Contact::nginx;             ///< whose word response.status is
  ngx_str_t location_name = ngx_null_string;    ///< of the location that served the subrequest
  ngx_uint_t cache_status = 0;                  ///< NGX_HTTP_CACHE_*; 0 where no cache was asked
  const char *misconfiguration = nullptr;       ///< why the response must not count; a constant for the log line
  time_t ended = 0;                             ///< when proxy_cache's entry ended, where it has been served stale
  bool is_being_renewed = false;                ///< stale, and being renewed, as stale-while-revalidate allows
  time_t cached_until = 0;                      ///< when proxy_cache's entry ends; 0 where it holds none, or an old one
  bool may_be_kept = false;                     ///< a hot cache asks for cached_until
  bool came_to_server = false;                  ///< and has not been counted yet

  // What it means for the token; read on first use.
  bool interpreted = false;
  bool is_hot = false;  ///< it came out of the hot cache: there is no response
  oauth::TokenInformation introspection;
  /// The header's value with the introspection's JWT; empty where it is yet to be made.
  std::string_view bearer_header;
};

/// @return a call that has not been started, or nullptr where there is no memory.
Call *make_token_call(ngx_http_request_t *r, const phantom_token_location_t &location,
                      const AnswerKey &question) noexcept;

/// Starts a subrequest that asks the location's endpoint about a token, by introspection or exchange. Once call.done is
/// set, nginx wakes the parent.
/// @param question its parts must live as long as the request's pool.
/// @param key of jose::hex_digest_size characters: see token_key().
/// @return nullptr where there is no memory or nginx refuses another subrequest.
Call *start_token_call(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question,
                       const char *key) noexcept;

/// The question for the JWK Set: its identity is the call's $phantom_token_key, over the endpoint and the server, so
/// that a cache with that key may be inherited.
/// @param endpoint evaluated; it must live as long as the result.
/// @param question set where the result is true.
/// @return false where OpenSSL fails or there is no memory.
bool make_keys_question(ngx_http_request_t *r, std::string_view endpoint, AnswerKey &question) noexcept;

/// @return a call for the JWK Set that has not been started, or nullptr where there is no memory.
Call *make_keys_call(ngx_http_request_t *r, const phantom_token_location_t &location,
                     const AnswerKey &question) noexcept;

/// Starts a subrequest for the JWK Set. It goes on when its client has gone: see waiting.cpp.
/// @param refresh whether the cache is to be passed by, where the location's configuration allows that.
/// @return nullptr where there is no memory or nginx refuses another subrequest.
Call *start_keys_call(ngx_http_request_t *r, const phantom_token_location_t &location, const AnswerKey &question,
                      bool refresh) noexcept;

/// @return the call that this request carries out, or nullptr where it is a request of somebody else's.
Call *call_of(const ngx_http_request_t *r) noexcept;

/// @return the call that this request or one of its parents carries out; nginx's own background updates of the cache
///   are such children.
Call *call_above(const ngx_http_request_t *r) noexcept;

/// Notes that the call's subrequest has come to its location, and takes from it what is the client's: its headers and
/// what has been made of them.
/// @return false where there is no memory.
bool arrive(ngx_http_request_t *subrequest, Call &call) noexcept;

/// @return whether the call's subrequest has been redirected since: by the server's X-Accel-Redirect, perhaps to a
///   location that answers in its rewrite phase, or by something else in its location.
bool is_redirected(const ngx_http_request_t *subrequest, const Call &call) noexcept;

/// Computes $phantom_token_key.
/// @param location_parts what the location adds to it.
/// @param endpoint evaluated.
/// @param hex room for jose::hex_digest_size characters.
/// @return false where OpenSSL fails or there is no memory.
bool token_key(const ngx_http_request_t *r, const jose::Strings &location_parts, std::string_view endpoint,
               std::string_view token, char *hex) noexcept;

/// @return whether proxy_cache has served the response after its time.
bool is_stale(const Call &call) noexcept;

/// @return active where the call's response may count, whatever it says; else why not.
oauth::Verdict find_obstacle(const Call &call, bool accept_stale) noexcept;

}  // namespace gateway
