// Answers of the token endpoint (RFC 8693): the access_token is forwarded only from a 200 whose type is a JWT's, as
// jansson and OpenSSL read the same answer; and an error never lets anything through.

#include "oauth/exchange.h"

#include "answer.h"

namespace {

constexpr const char *jwt_type = "urn:ietf:params:oauth:token-type:jwt";

bool is_type_of_jwt(const json_t *issued) {
  if (issued == nullptr) {
    return true;
  }
  const std::string_view type = json_is_string(issued) ? fuzz::text_of(issued) : std::string_view();
  return type == jwt_type || type == "urn:ietf:params:oauth:token-type:access_token";
}

fuzz::Verdict judge(const fuzz::Answer &answer) {
  if (answer.status() != 200 || !answer.is_readable() || !answer.has_type("application/json")) {
    return fuzz::refused();
  }
  const fuzz::Json json = fuzz::load(answer.body());
  const auto token = fuzz::string_member(json.value.get(), "access_token");
  if (!token || !is_type_of_jwt(fuzz::member(json.value.get(), "issued_token_type"))) {
    return fuzz::refused(json.open);
  }
  fuzz::Verdict verdict = fuzz::judge_jwt(*token, json.value.get());
  verdict.open = verdict.open || json.open;
  return verdict;
}

}  // namespace

// An answer as answer.h has it.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const fuzz::Answer answer(fuzz::Input(data, size));
  const fuzz::Text copy(answer.body());
  fuzz::Memory memory;
  oauth::Response response = answer.response(copy);
  const oauth::TokenInformation result = oauth::read_exchange(response, jwt_type, memory);
  fuzz::require_same(result, judge(answer));
  if (result.outcome == oauth::Outcome::inactive || result.outcome == oauth::Outcome::insufficient_scope) {
    REQUIRE(answer.status() == 200 || answer.status() == 400);
  }
  return 0;
}
