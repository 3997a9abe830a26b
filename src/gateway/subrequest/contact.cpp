#include "contact.h"

#include "call.h"

namespace gateway {
namespace {

constexpr auto not_measured = static_cast<ngx_msec_t>(-1);

bool is_out_of_cache([[maybe_unused]] const ngx_http_upstream_t &upstream) noexcept {
#if (NGX_HTTP_CACHE)
  switch (upstream.cache_status) {
    case NGX_HTTP_CACHE_HIT:
    case NGX_HTTP_CACHE_STALE:
    case NGX_HTTP_CACHE_UPDATING:
    case NGX_HTTP_CACHE_REVALIDATED:
      return true;
    default:
      break;
  }
#endif
  return false;
}

/// Of the last server that nginx tried. What is not in the state may be left over from the one before.
Contact contact_of_attempt(const ngx_http_upstream_t &upstream, unsigned status) noexcept {
  // ngx_http_upstream_send_request() measures it, behind the handshake of TLS.
  const bool connected = upstream.state->connect_time != not_measured;
  if (connected && upstream.headers_in.status_n == status) {
    return Contact::server;  // proxy_intercept_errors
  }
  switch (status) {
    case NGX_HTTP_GATEWAY_TIME_OUT:
      return connected ? Contact::response_timeout : Contact::connect_timeout;
    case NGX_HTTP_BAD_GATEWAY:
      break;
    default:
      return Contact::nginx;
  }
  if (!connected) {
    return upstream.ssl != 0 ? Contact::tls_unconnected : Contact::unconnected;
  }
  if (upstream.state->bytes_received != 0) {
    return Contact::unreadable;
  }
  return upstream.peer.cached != 0 ? Contact::kept_closed : Contact::closed;
}

struct Advice {
  unsigned status;
  const char *about_token;
  const char *about_keys;  ///< of a call for the JWK Set, which has no credentials and names no token
};

constexpr const char *redirect_advice =
    "write that URL into \"proxy_pass\", or with \"proxy_set_header Host\" the host that the server knows itself by";

constexpr const char *method_advice =
    "is the path in \"proxy_pass\" right? introspection and token exchange are POST, a JWK Set is GET";

constexpr const char *name_advice =
    "add \"proxy_ssl_server_name on;\", and \"proxy_ssl_name\" with the name that the server has";

constexpr const char *version_advice = "add \"proxy_http_version 1.1;\"";

constexpr const char *busy_advice = "does the cache work, and is its time long enough?";

constexpr Advice advices[] = {
    {301, redirect_advice, redirect_advice},
    {302, redirect_advice, redirect_advice},
    {303, redirect_advice, redirect_advice},
    {307, redirect_advice, redirect_advice},
    {308, redirect_advice, redirect_advice},
    {400,
     "does \"proxy_pass\" say \"http\" where it should say \"https\", does it get another Host than its own, no client "
     "credentials, no client certificate? or does the server say so of tokens that it does not know "
     "(\"phantom_token_inactive_status\")?",
     "does \"proxy_pass\" say \"http\" where it should say \"https\", or does the server get another Host than its "
     "own?"},
    {401,
     "are \"phantom_token_client_id\", its secret and \"phantom_token_client_auth\" right, or the \"proxy_set_header "
     "Authorization\" that replaces them?",
     "a JWK Set is public: is the path in \"proxy_pass\" right, and the Host that the server gets?"},
    {403,
     "either its client lacks the right to ask, or a firewall wants another \"proxy_set_header User-Agent\", another "
     "Host or another address of the gateway",
     "a firewall may want another \"proxy_set_header User-Agent\", another Host or another address of the gateway"},
    {404,
     "is the path in \"proxy_pass\" right, and the Host that the server gets? or does the server say so of tokens that "
     "it does not know (\"phantom_token_inactive_status\")?",
     "is the path in \"proxy_pass\" right, and the Host that the server gets?"},
    {405, method_advice, method_advice},
    {406,
     "an authorization server that has no application/jwt may have the JWT in JSON: \"proxy_set_header Accept "
     "application/json;\"",
     "write the media type that the server has for it into \"proxy_set_header Accept\""},
    {415, "remove the \"proxy_set_header Content-Type\" that replaces application/x-www-form-urlencoded", nullptr},
    {421, name_advice, name_advice},
    {426, version_advice, version_advice},
    {429, busy_advice, busy_advice},
};

}  // namespace

Contact contact_of_response(const ngx_http_request_t &subrequest) noexcept {
  if (subrequest.upstream == nullptr) {
    return Contact::nginx;
  }
  return is_out_of_cache(*subrequest.upstream) ? Contact::cache : Contact::server;
}

Contact contact_of_failure(const ngx_http_request_t &subrequest, unsigned status) noexcept {
  const ngx_http_upstream_t *upstream = subrequest.upstream;
  if (upstream == nullptr) {
    return Contact::nginx;
  }
  if (is_out_of_cache(*upstream)) {
    return Contact::cache;  // ngx_http_cache_t::error, or a page of proxy_intercept_errors
  }
  if (upstream->state == nullptr) {
    return upstream->resolved != nullptr && status == NGX_HTTP_BAD_GATEWAY ? Contact::unresolved : Contact::nginx;
  }
  return contact_of_attempt(*upstream, status);
}

const char *explain(Contact contact) noexcept {
  switch (contact) {
    case Contact::server:
    case Contact::cache:
      break;
    case Contact::nginx:
      return "nginx itself has answered in place of the authorization server: look in the asked location and its "
             "server for \"return\", \"if\", \"rewrite\", \"limit_req\" or a location without \"proxy_pass\", and in "
             "the log for nginx's own line before this one";
    case Contact::unresolved:
      return "the name of the authorization server has no address: nginx's own line before this one says why; a "
             "\"proxy_pass\" with variables needs a \"resolver\"";
    case Contact::unconnected:
      return "there is no connection to the authorization server: nginx's own line before this one says why";
    case Contact::tls_unconnected:
      return "there is no TLS connection to the authorization server: nginx's own line before this one says why; a "
             "server that speaks TLS 1.3 alone needs \"proxy_ssl_protocols TLSv1.2 TLSv1.3;\"";
    case Contact::connect_timeout:
      return "there was no connection to the authorization server, TLS included, within \"proxy_connect_timeout\": is "
             "the address right, does it say \"https\" only where the server does, does a firewall drop what is sent?";
    case Contact::response_timeout:
      return "the authorization server did not answer within \"proxy_read_timeout\" or \"proxy_send_timeout\"";
    case Contact::late:
      return "the authorization server's answer began, and then nothing came for as long as \"proxy_read_timeout\" "
             "says";
    case Contact::overdue:
      return "the authorization server's answer was not there within \"phantom_token_response_timeout\": look at the "
             "server, at the resolver, and in the asked location for what delays, as \"limit_req\" and "
             "\"proxy_cache_lock\" do";
    case Contact::closed:
      return "the authorization server closed the connection without an answer: it failed, or \"proxy_pass\" says "
             "\"http\" where it should say \"https\"";
    case Contact::kept_closed:
      return "the authorization server closed a connection that was kept open, in the moment of its next use: add "
             "\"proxy_next_upstream error timeout non_idempotent;\", so that nginx asks again";
    case Contact::unreadable:
      return "the header of the authorization server's answer cannot be used: nginx's own line before this one says "
             "why; for \"too big header\" raise \"proxy_buffer_size\"";
  }
  return nullptr;
}

const char *advice(const Call &call) noexcept {
  if (call.contact == Contact::cache) {
    return "the cache has kept this answer: is there a \"proxy_cache_valid\" for that status, or for \"any\"?";
  }
  if (call.contact == Contact::server) {
    for (const Advice &row : advices) {
      if (row.status == call.response.status) {
        return call.is_about_token ? row.about_token : row.about_keys;
      }
    }
  }
  return nullptr;
}

ngx_str_t redirect_target(const ngx_http_request_t &subrequest, unsigned status) noexcept {
  if (status < NGX_HTTP_SPECIAL_RESPONSE || status >= NGX_HTTP_BAD_REQUEST) {
    return ngx_null_string;
  }
  const ngx_http_upstream_t *upstream = subrequest.upstream;
  // proxy_redirect has changed the one of headers_out.
  const ngx_table_elt_t *location =
      upstream != nullptr ? upstream->headers_in.location : subrequest.headers_out.location;
  return location == nullptr ? ngx_str_t(ngx_null_string) : location->value;
}

ngx_str_t status_in_log(const Call &call, u_char (&buffer)[longest_status]) noexcept {
  if (call.response.explanation != nullptr && call.contact != Contact::nginx) {
    return ngx_null_string;
  }
  const u_char *end = ngx_sprintf(buffer, ", its status %ui", static_cast<ngx_uint_t>(call.response.status));
  return {static_cast<size_t>(end - buffer), buffer};
}

}  // namespace gateway
