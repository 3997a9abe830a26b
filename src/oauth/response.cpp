#include "response.h"

#include "../jose/strings.h"

namespace oauth {
namespace {

/// @return what a status means by RFC 9110 section 15, RFC 7662 section 2.3 and RFC 6749 section 5.2.
Verdict verdict_of_server(unsigned status) noexcept {
  switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return {Outcome::as_error, "the authorization server redirects the gateway to another URL"};
    case 400:
      return {Outcome::as_error, "the authorization server says that the gateway's request is wrong"};
    case 401:
      return {Outcome::as_refused_client, "the authorization server does not accept the gateway's credentials"};
    case 403:
      return {Outcome::as_refused_client, "the authorization server, or a firewall before it, refuses the gateway"};
    case 404:
      return {Outcome::as_error, "the authorization server has nothing at this URL"};
    case 405:
      return {Outcome::as_error, "the authorization server does not allow this method at this URL"};
    case 406:
      return {Outcome::as_error, "the authorization server cannot answer in the type that Accept asks for"};
    case 413:
      return {Outcome::as_error, "the authorization server finds the gateway's request too large"};
    case 415:
      return {Outcome::as_error, "the authorization server does not take requests of this Content-Type"};
    case 421:
      return {Outcome::as_error, "the authorization server does not serve this host on this connection"};
    case 426:
      return {Outcome::as_error, "the authorization server asks for a newer version of HTTP"};
    case 429:
      return {Outcome::as_busy, "the authorization server says that the gateway asks too often"};
    case 500:
      return {Outcome::as_error, "the authorization server has failed"};
    case 502:
      return {Outcome::as_error, "a proxy before the authorization server cannot reach it"};
    case 503:
      return {Outcome::as_busy, "the authorization server is busy or being serviced"};
    case 504:
      return {Outcome::as_timeout, "a proxy before the authorization server had no answer from it in time"};
    default:
      break;
  }
  if (status < 300) {
    return {Outcome::as_bad_response, "the authorization server answered with an unexpected status"};
  }
  return {Outcome::as_error, "the authorization server answered with an error"};
}

}  // namespace

bool has_media_type(const Response &response, std::string_view type) noexcept {
  const std::string_view essence = response.content_type.substr(0, response.content_type.find(';'));
  return jose::equal_ignoring_case(essence.substr(0, essence.find_last_not_of(" \t") + 1), type);
}

const char *explain_unreadable(const Response &response) noexcept {
  if (response.too_large) {
    return "the response is larger than phantom_token_max_response_size";
  }
  if (!response.complete) {
    return "the response was cut short";
  }
  if (!response.content_encoding.empty() && !jose::equal_ignoring_case(response.content_encoding, "identity")) {
    return "the response has a Content-Encoding";
  }
  return nullptr;
}

Verdict verdict_by_status(const Response &response) noexcept {
  const Verdict verdict = verdict_of_server(response.status);
  return {verdict.outcome, response.explanation == nullptr ? verdict.problem : response.explanation};
}

}  // namespace oauth
