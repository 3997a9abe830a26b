#pragma once

#include <string_view>

#include "../jose/json.h"
#include "../jose/memory.h"
#include "response.h"
#include "token_information.h"

namespace oauth {

/// @param error the JSON object of an error response (RFC 6749 section 5.2).
/// @return its `error_description`, else its `error`; empty where it has neither.
std::string_view server_message(const jose::JsonValue &error) noexcept;

/// @param response its body is rewritten.
/// @return a refusal for the reason that verdict_by_status() gives, with the server_message() where there is one.
TokenInformation refused_by_status(Response &response, jose::Memory &memory) noexcept;

/// @return whether the server has answered with a status that says that the token is inactive, whatever the body says.
///   A status that the server did not send never does.
bool is_inactive_by_status(const Response &response, const InactiveStatuses &statuses) noexcept;

/// @param response its body is rewritten.
/// @return that the token is inactive, with the server_message() where there is one: a server that refuses the gateway
///   itself may use the same status, and the message in the log then says so.
TokenInformation inactive_by_status(Response &response, jose::Memory &memory) noexcept;

}  // namespace oauth
