#include "error_response.h"

namespace oauth {
namespace {

TokenInformation with_server_message(TokenInformation information, Response &response, jose::Memory &memory) noexcept {
  if (response.body_size != 0 && explain_unreadable(response) == nullptr &&
      has_media_type(response, "application/json")) {
    const char *problem = nullptr;
    const jose::JsonValue *error = jose::parse_json(response.body, response.body_size, memory, problem);
    information.server_message = error == nullptr ? std::string_view() : server_message(*error);
  }
  return information;
}

}  // namespace

std::string_view server_message(const jose::JsonValue &error) noexcept {
  for (const std::string_view name : {"error_description", "error"}) {
    const jose::JsonValue *member = error.member(name);
    if (member != nullptr && member->kind == jose::JsonKind::string && !member->text.empty()) {
      return member->text;
    }
  }
  return {};
}

TokenInformation refused_by_status(Response &response, jose::Memory &memory) noexcept {
  const Verdict verdict = verdict_by_status(response);
  return with_server_message(refused_response(verdict.outcome, verdict.problem), response, memory);
}

bool is_inactive_by_status(const Response &response, const InactiveStatuses &statuses) noexcept {
  return response.answered && statuses.has(response.status);
}

TokenInformation inactive_by_status(Response &response, jose::Memory &memory) noexcept {
  return with_server_message(refused_response(Outcome::inactive, "its status is one of phantom_token_inactive_status"),
                             response, memory);
}

}  // namespace oauth
