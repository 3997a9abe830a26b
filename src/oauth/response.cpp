#include "response.h"

#include "strings.h"

namespace oauth {

bool has_media_type(const Response &response, std::string_view type) noexcept {
  const std::string_view essence = response.content_type.substr(0, response.content_type.find(';'));
  return equal_ignoring_case(essence.substr(0, essence.find_last_not_of(" \t") + 1), type);
}

const char *explain_unreadable(const Response &response) noexcept {
  if (response.too_large) {
    return "the response is larger than phantom_token_max_response_size";
  }
  if (!response.complete) {
    return "the response was cut short";
  }
  if (!response.content_encoding.empty() && !equal_ignoring_case(response.content_encoding, "identity")) {
    return "the response has a Content-Encoding";
  }
  return nullptr;
}

Failure failure(const Response &response) noexcept {
  switch (response.status) {
    case 401:
    case 403:
      return {Outcome::as_refused_client, "the authorization server refuses the gateway's own credentials"};
    case 429:
    case 503:
      return {Outcome::as_busy, "the authorization server is busy"};
    case 504:
      return {Outcome::as_timeout, "the authorization server did not answer in time"};
    default:
      break;
  }
  if (response.status < 300) {
    return {Outcome::as_bad_response, "the status of the response is none that its endpoint may have"};
  }
  return {Outcome::as_error, response.answered ? "the authorization server answered with an error"
                                               : "the authorization server could not be reached"};
}

}  // namespace oauth
