#include "contact.h"

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

}  // namespace gateway
