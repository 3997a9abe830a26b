#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

#include "outcome.h"

namespace oauth {

/// What came back from an endpoint of the authorization server, before anybody has looked into it.
struct Response {
  unsigned status = 0;                ///< HTTP status
  bool answered = false;              ///< the status is the server's own, not nginx's for it
  const char *explanation = nullptr;  ///< a constant: who has said the status, where the server has not
  std::string_view content_type;      ///< with parameters, as sent
  std::string_view content_encoding;  ///< empty where there was none
  bool complete = false;              ///< the body arrived whole
  bool too_large = false;             ///< the body is longer than phantom_token_max_response_size
  char *body = nullptr;               ///< the reader rewrites it; body[body_size] must be writable, for a terminator
  std::size_t body_size = 0;          ///< bytes
};

/// Statuses by which an authorization server says that it does not know a token.
class InactiveStatuses {
 public:
  static constexpr unsigned lowest = 400;
  static constexpr unsigned highest = 499;

  void add(unsigned status) noexcept { statuses_[status - lowest] = true; }
  bool has(unsigned status) const noexcept {
    return status >= lowest && status <= highest && statuses_[status - lowest];
  }

 private:
  std::bitset<highest - lowest + 1> statuses_;
};

/// @return whether the response's media type is this one, whatever its parameters and its case.
bool has_media_type(const Response &response, std::string_view type) noexcept;

/// @return nullptr where the body is all there and plain, else a constant that says what is wrong.
const char *explain_unreadable(const Response &response) noexcept;

/// @return what a status such as 503 means, whose body says nothing of the token, and who has said it.
Verdict verdict_by_status(const Response &response) noexcept;

}  // namespace oauth
