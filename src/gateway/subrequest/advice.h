#pragma once

#include <cstddef>

#include "as_request.h"

namespace gateway {

/// @return what to do about the status that the server has answered with, a constant for the log line; nullptr where
///   there is nothing to say.
const char *advice(const AsRequest &request) noexcept;

constexpr std::size_t longest_status = sizeof(", its status ") + NGX_INT_T_LEN;

/// @return the end of a log line about the request, in the buffer: empty where the status is only nginx's for what
/// happened
///   on the way.
ngx_str_t status_in_log(const CapturedResponse &captured, u_char (&buffer)[longest_status]) noexcept;

}  // namespace gateway
