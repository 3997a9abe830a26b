// Answers of the introspection endpoint: active, with exactly this JWT, only where jansson and OpenSSL read the same
// answer so. All three forms: a JWT, JSON, RFC 9701.

#include "oauth/introspection.h"

#include "answer.h"

namespace {

constexpr std::string_view jwt_members[] = {"jwt", "phantom_token", "token_string"};

fuzz::Verdict judge_members(const json_t *members, bool open) {
  const auto type = fuzz::string_member(members, "token_type");
  if (!json_is_true(json_object_get(members, "active")) || (type && fuzz::same_word(*type, "refresh_token"))) {
    return fuzz::refused(open);
  }
  for (const std::string_view name : jwt_members) {
    if (const json_t *member = fuzz::member(members, std::string(name).c_str())) {
      fuzz::Verdict verdict =
          json_is_string(member) ? fuzz::judge_jwt(fuzz::text_of(member), members) : fuzz::refused();
      verdict.open = verdict.open || open;
      return verdict;
    }
  }
  return fuzz::refused(open);
}

fuzz::Verdict judge_bare_jwt(const fuzz::Answer &answer, bool must_be_envelope) {
  const fuzz::Jws jws = fuzz::read_jws(answer.body());
  if (!jws.good) {
    return fuzz::refused(jws.open);
  }
  if (fuzz::has_typ(jws.header.get(), "token-introspection+jwt")) {
    const json_t *members = json_object_get(jws.claims.get(), "token_introspection");
    return json_is_object(members) ? judge_members(members, jws.open) : fuzz::refused(jws.open);
  }
  return must_be_envelope ? fuzz::refused(jws.open) : fuzz::judge_jwt(answer.body(), nullptr);
}

fuzz::Verdict judge(const fuzz::Answer &answer) {
  if (answer.status() != 200 || !answer.is_readable()) {
    return fuzz::refused();
  }
  if (answer.has_type("application/json")) {
    const fuzz::Json json = fuzz::load(answer.body());
    return json_is_object(json.value.get()) ? judge_members(json.value.get(), json.open) : fuzz::refused(json.open);
  }
  const bool must_be_envelope = answer.has_type("application/token-introspection+jwt");
  return must_be_envelope || answer.has_type("application/jwt") ? judge_bare_jwt(answer, must_be_envelope)
                                                                : fuzz::refused();
}

}  // namespace

// An answer as answer.h has it.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const fuzz::Answer answer(fuzz::Input(data, size));
  const fuzz::Text copy(answer.body());
  fuzz::Memory memory;
  const oauth::JwtMembers names = {{jwt_members, 3}};
  oauth::Response response = answer.response(copy);
  fuzz::require_same(oauth::read_introspection(response, names, memory), judge(answer));

  for (std::size_t allowed = 0; allowed < std::min<std::size_t>(memory.allocations(), 8); ++allowed) {
    const fuzz::Text again(answer.body());
    fuzz::Memory short_memory(allowed);
    response = answer.response(again);
    const oauth::TokenInformation result = oauth::read_introspection(response, names, short_memory);
    REQUIRE(result.outcome != oauth::Outcome::active);
  }
  return 0;
}
