#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

#include "outcome.h"

namespace oauth {

/// A response of the authorization server, not read yet.
struct Response {
  unsigned status = 0;                ///< HTTP status
  bool answered = false;              ///< the server sent the status, not nginx in its place
  const char *explanation = nullptr;  ///< a constant that says why there is a status, where the server did not send it
  std::string_view content_type;      ///< with parameters, as sent
  std::string_view content_encoding;  ///< empty where there was none
  bool complete = false;              ///< the body arrived whole
  bool too_large = false;             ///< the body is longer than the configured limit
  char *body = nullptr;               ///< the reader rewrites it; body[body_size] must be writable, for a terminator
  std::size_t body_size = 0;          ///< bytes
};

/// The statuses that mean that a token is inactive: some authorization servers answer so instead of `"active":false`.
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

/// @return whether the response has this media type, without regard to its parameters and to upper or lower case.
bool has_media_type(const Response &response, std::string_view type) noexcept;

/// @return a constant that says why the body cannot be read: it is incomplete, too large or encoded. nullptr where it
///   can.
const char *explain_unreadable(const Response &response) noexcept;

/// @return what a status means by itself, without the body, such as 503. The problem is response.explanation where that
///   is set.
Verdict verdict_by_status(const Response &response) noexcept;

}  // namespace oauth
