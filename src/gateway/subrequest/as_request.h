#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../../jose/digest.h"
#include "../../oauth/introspection.h"
#include "../../oauth/outcome.h"
#include "../../oauth/response.h"
#include "../../oauth/token_information.h"
#include "../configuration/module_configuration.h"
#include "answer_key.h"
#include "contact.h"

namespace gateway {

struct AsRequest;
struct Leader;
struct SubrequestHeaders;

enum class AsRequestKind : std::uint8_t {
  introspection,   ///< RFC 7662
  token_exchange,  ///< RFC 8693
  jwk_set,         ///< RFC 7517 section 5: it is about no token
};

/// What is asked, and how the answer is to be read: worked out before anything runs. Afterwards only a follower's takes
/// over what its leader has sent: see share().
struct AsRequestTemplate {
  AsRequestKind kind = AsRequestKind::introspection;
  AnswerKey key;
  char cache_key[jose::hex_digest_size] = {};  ///< $phantom_token_key
  std::string_view accept;                     ///< header
  std::string_view authorization;              ///< header: the gateway's own; empty: none is sent
  std::string_view body;                       ///< empty: the method is GET
  std::size_t max_response_size = 0;           ///< bytes
  std::string_view client_assertion;           ///< the one in the body; empty: there is none
  bool body_has_secret = false;                ///< the gateway's client_secret or client_assertion
  bool endpoint_has_variables = false;         ///< whose values are a part of the key
  bool bypasses_cache = false;                 ///< $phantom_token_jwks_refresh
  bool feeds_hot_cache = false;                ///< so that it matters how long proxy_cache holds the answer

  // Of one about a token:
  oauth::JwtMembers jwt_members;          ///< where the JWT may be in an introspection response
  std::string_view requested_token_type;  ///< of an exchange
  const oauth::InactiveStatuses *inactive_statuses = nullptr;

  bool is_about_token() const noexcept { return kind != AsRequestKind::jwk_set; }
};

/// How far it has come.
enum class Progress : std::uint8_t {
  prepared,
  sent,            ///< its subrequest has begun, or it follows another request's
  arrived,         ///< the subrequest has come to the preaccess phase of its location
  done,            ///< the answer is there, or what stands for it
  abandoned,       ///< what it follows has ended without an answer for it; the next one may be for all who ask
  must_ask_alone,  ///< the same, and the next one would not be for all either
};

/// @param subrequest the one that carries the request out.
/// @param rc as ngx_http_post_subrequest_pt has it.
using FinishHandler = ngx_int_t (*)(ngx_http_request_t *subrequest, AsRequest &request, ngx_int_t rc);

/// Called once, when the answer has been captured, whether or not the client still waits for it.
using CompletionHandler = void (*)(ngx_http_request_t *subrequest, const AsRequest &request);

/// What carries it out.
struct RunningSubrequest {
  Progress progress = Progress::prepared;
  ngx_http_request_t *subrequest = nullptr;   ///< nullptr where another request's is followed, or none is needed
  FinishHandler finish = nullptr;             ///< what its end leads to
  CompletionHandler on_completion = nullptr;  ///< nullptr: nobody wants to know
  SubrequestHeaders *headers = nullptr;
  Leader *leader = nullptr;                  ///< where others may follow it
  ngx_http_posted_request_t wake = {};       ///< for the request that waits
  ngx_event_t timeout = {};                  ///< phantom_token_response_timeout
  const ngx_event_t *server_read = nullptr;  ///< of the connection to the server, from the response's header on
  ngx_msec_t started = 0;

  bool has_ended() const noexcept { return progress >= Progress::done; }

  void stop_timeout() noexcept {
    if (timeout.timer_set != 0) {
      ngx_del_timer(&timeout);
    }
  }
};

/// Why a response does not count, or came to its end early.
enum class CaptureFault : std::uint8_t {
  none,
  given_up,   ///< refused at its header
  timed_out,  ///< phantom_token_response_timeout has passed
  no_memory,
  redirected,  ///< the subrequest has left its location: its response is not the authorization server's
};

/// What proxy_cache had to do with a response.
struct CacheUse {
  ngx_uint_t status = 0;          ///< NGX_HTTP_CACHE_*; 0 where no cache was asked
  time_t stale_since = 0;         ///< when the entry ended, where it has been served stale
  time_t held_until = 0;          ///< when the entry ends; 0 where there is none, an old one, or it is in the hot cache
  bool is_being_renewed = false;  ///< stale, and being renewed, as stale-while-revalidate allows

  bool is_stale() const noexcept { return status == NGX_HTTP_CACHE_STALE || status == NGX_HTTP_CACHE_UPDATING; }
};

/// The response as it came. Nothing of it has been read.
struct CapturedResponse {
  oauth::Response response;
  Contact contact = Contact::nginx;  ///< whose word response.status is
  CaptureFault fault = CaptureFault::none;
  const char *misconfiguration = nullptr;  ///< why the response must not count; a constant for the log line
  off_t declared_length = -1;              ///< Content-Length; -1 where there was none
  std::size_t body_capacity = 0;
  CacheUse cache;
  bool has_reached_server = false;  ///< no cache has answered in the server's place
  bool is_for_all = false;          ///< it may be kept, and is for all who ask the same: see answers_key()
  ngx_msec_t duration = 0;
  ngx_str_t retry_after = ngx_null_string;
  ngx_str_t redirect_target = ngx_null_string;  ///< the Location of the answer
  ngx_str_t location_name = ngx_null_string;    ///< of the location that served the subrequest
};

enum class AnswerSource : std::uint8_t {
  unread,
  response,
  parsed_before,  ///< this worker has read the same bytes: see parsed_answers.h
  hot_cache,      ///< there is no response
  client_jwt,     ///< nobody has been asked
};

/// What the gateway has signed for the API.
struct SignedAuthorization {
  std::string_view value;    ///< `Bearer <jwt>`, a NUL behind it; empty: nothing yet
  std::string_view signing;  ///< SigningSettings::digest of the location that has signed it
  time_t exp = 0;            ///< of the JWT

  bool is_good(std::string_view digest) const noexcept {
    return !value.empty() && signing == digest && ngx_time() < exp;
  }
};

/// What the answer says of the token; read on first use. Or what the client's own JWT says.
struct InterpretedAnswer {
  AnswerSource source = AnswerSource::unread;
  oauth::TokenInformation information;
  std::string_view authorization;  ///< `Bearer <jwt>`, a NUL behind it; empty where it is yet to be made
  SignedAuthorization signed_authorization;
  ngx_msec_t kept = 0;  ///< of a hot copy: since when
};

/// A request to the authorization server and what came of it: by a subrequest of this request or of one that it
/// follows, or out of the hot cache. It lives in the pool of the client's request, so that it can be used again after
/// redirects.
struct AsRequest {
  AsRequestTemplate asked;
  RunningSubrequest running;
  CapturedResponse captured;
  InterpretedAnswer interpreted;
};

/// @param key its parts must live as long as the request's pool.
/// @return a request about a token that is not complete yet: see prepare_token_request(); nullptr where there is no
///   memory.
AsRequest *make_token_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                              const AnswerKey &key) noexcept;

/// Fills in what is sent, and $phantom_token_key.
/// @return active, or why there is no such request: no memory, or OpenSSL has failed.
oauth::Verdict prepare_token_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                                     AsRequest &request) noexcept;

/// The key of a JWK Set: its fingerprint is the request's $phantom_token_key, over the endpoint and the server, so that
/// a cache with that key may be inherited.
/// @param endpoint evaluated; it must live as long as the result.
/// @param key set where the result is true.
/// @return false where OpenSSL fails or there is no memory.
bool make_jwk_set_key(ngx_http_request_t *r, std::string_view endpoint, AnswerKey &key) noexcept;

/// @return a complete request for the JWK Set, or nullptr where there is no memory.
AsRequest *make_jwk_set_request(ngx_http_request_t *r, const phantom_token_location_t &location,
                                const AnswerKey &key) noexcept;

/// The handler by which a subrequest of ours is known; it calls running.finish.
ngx_int_t finish_as_request(ngx_http_request_t *subrequest, void *data, ngx_int_t rc) noexcept;

/// @return what this subrequest carries out, or nullptr where it is somebody else's.
AsRequest *as_request_of(const ngx_http_request_t *subrequest) noexcept;

/// @return what this request or one of its parents carries out; nginx's own background updates of the cache are such
///   children.
AsRequest *as_request_above(const ngx_http_request_t *r) noexcept;

/// @return whether the subrequest has been redirected since it came to its location: by the server's X-Accel-Redirect,
///   perhaps to a location that answers in its rewrite phase, or by something else in its location.
bool is_redirected(const ngx_http_request_t *subrequest, const AsRequest &request) noexcept;

/// Computes $phantom_token_key.
/// @param begin what the location adds to it: TokenRequestTemplate::cache_key_begin.
/// @param endpoint evaluated.
/// @param hex room for jose::hex_digest_size characters.
/// @return false where OpenSSL fails.
bool make_cache_key(const ngx_http_request_t *r, std::string_view begin, std::string_view endpoint,
                    std::string_view token, char *hex) noexcept;

/// @return active where the response may count, whatever it says and however old it is; else why not.
oauth::Verdict check_capture(const CapturedResponse &captured) noexcept;

}  // namespace gateway
