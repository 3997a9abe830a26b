// Logout tokens and security event tokens: refused are those that the contract refuses as jansson reads them, with one
// of the errors that are true of them; the others revoke exactly what they name, and nothing that is yet to be issued.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <string>

#include "document.h"
#include "fuzz.h"
#include "oauth/security_event.h"
#include "oracle.h"

namespace {

using oauth::EventError;

/// What the reader is told, as a line: `logout` or `event`, issuers, audiences, keep, leeway, now, with `;` between
/// them.
struct Settings {
  explicit Settings(std::string_view line) {
    std::string_view fields[6];
    for (std::string_view &field : fields) {
      field = line.substr(0, line.find(';'));
      line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    is_logout = fields[0] == "logout";
    issuers = fuzz::split(fields[1], ' ');
    audiences = fuzz::split(fields[2], ' ');
    keep = number(fields[3]);
    leeway = number(fields[4]);
    now = number(fields[5]);
  }

  oauth::EventRequirements requirements() const {
    return {fuzz::strings(issuers), fuzz::strings(audiences), keep, leeway};
  }

  /// The latest time that is not the future.
  std::int64_t latest() const { return now + std::max<std::int64_t>(leeway, 5); }

  static std::int64_t number(std::string_view digits) {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + std::min<std::size_t>(digits.size(), 12), value);
    return std::max<std::int64_t>(value, 0);
  }

  bool is_logout = false;
  std::vector<std::string_view> issuers, audiences;
  std::int64_t keep = 0;
  std::int64_t leeway = 0;
  std::int64_t now = 0;
};

/// What the contract makes of a token.
struct Expected {
  std::set<EventError> errors;  ///< all that are true; none: it is taken
  std::multiset<std::string> revocations;
  bool has_unknown = false;

  void refuse_unless(bool holds, EventError error = EventError::invalid_request) {
    if (!holds) {
      errors.insert(error);
    }
  }
};

bool is_among(const json_t *value, const std::vector<std::string_view> &allowed) {
  return json_is_string(value) && std::find(allowed.begin(), allowed.end(), fuzz::text_of(value)) != allowed.end();
}

bool holds_one(const json_t *value, const std::vector<std::string_view> &allowed) {
  std::size_t i = 0;
  json_t *element = nullptr;
  bool found = is_among(value, allowed);
  if (fuzz::is_array_of_strings(value)) {
    json_array_foreach(value, i, element) {
      found = found || is_among(element, allowed);
    }
  }
  return found;
}

/// @return the member where it is a string that is not empty.
std::optional<std::string> word(const json_t *object, const char *name) {
  const auto text = fuzz::string_member(object, name);
  return text && !text->empty() ? std::optional(std::string(*text)) : std::nullopt;
}

/// @return the number, rounded down.
std::optional<double> date(const json_t *value) {
  return json_is_real(value) ? std::optional(std::floor(json_real_value(value))) : std::nullopt;
}

std::string shown(std::string_view kind, std::string_view value, std::string_view issuer, double before) {
  // Beyond this a double has no seconds any more; it is long ago in any case.
  const double shown_before = std::max(before, -9007199254740992.0);
  return std::string(kind) + '\0' + std::string(value) + '\0' + std::string(issuer) + '\0' +
         std::to_string(shown_before);
}

// --- subjects ---

struct Subject {
  bool is_fault = false;
  std::string kind;  ///< empty: unknown
  std::string value;
  std::string issuer;
};

const Subject fault = {true, {}, {}, {}};

Subject read_part(const json_t *part) {
  const auto format = word(part, "format");
  if (!format || (*format != "iss_sub" && *format != "jwt_id")) {
    return {!format, {}, {}, {}};
  }
  const std::string kind = *format == "iss_sub" ? "sub" : "jti";
  const auto value = word(part, kind.c_str());
  const auto issuer = word(part, "iss");
  return value && issuer ? Subject{false, kind, *value, *issuer} : fault;
}

Subject read_subject(const json_t *subject) {
  if (word(subject, "format") != "complex") {
    return read_part(subject);
  }
  const json_t *of_session = fuzz::member(subject, "session");
  const json_t *of_user = fuzz::member(subject, "user");
  Subject session = of_session != nullptr ? read_part(of_session) : Subject();
  const Subject user = of_user != nullptr ? read_part(of_user) : Subject();
  if (session.kind == "sub") {
    session.kind = "sid";
  }
  return session.is_fault || user.is_fault ? fault : session.kind.empty() ? user : session;
}

/// That of one event.
Subject find_subject(const json_t *claims, const json_t *event) {
  for (const json_t *subject : {fuzz::member(claims, "sub_id"), fuzz::member(event, "subject")}) {
    if (subject != nullptr) {
      return read_subject(subject);
    }
  }
  const auto sub = word(claims, "sub");
  return sub ? Subject{false, "sub", *sub, word(claims, "iss").value_or("")} : fault;
}

// --- events ---

bool revokes(std::string_view type) {
  static const std::set<std::string_view> types = {
      "caep/event-type/session-revoked", "caep/event-type/credential-change",     "risc/event-type/account-disabled",
      "risc/event-type/account-purged",  "risc/event-type/credential-compromise", "risc/event-type/sessions-revoked"};
  constexpr std::string_view prefix = "https://schemas.openid.net/secevent/";
  return type.substr(0, prefix.size()) == prefix && types.count(type.substr(prefix.size())) != 0;
}

void read_event(const Settings &settings, const json_t *claims, std::string_view type, const json_t *event,
                Expected &expected) {
  expected.refuse_unless(json_is_object(event));
  if (!json_is_object(event) || !revokes(type)) {
    expected.has_unknown = true;
    return;
  }
  const Subject subject = find_subject(claims, event);
  expected.refuse_unless(!subject.is_fault);
  if (subject.kind.empty()) {
    expected.has_unknown = true;
    return;
  }
  const auto &issuers = settings.issuers;
  expected.refuse_unless(word(claims, "iss") == subject.issuer ||
                         std::find(issuers.begin(), issuers.end(), subject.issuer) != issuers.end());
  const json_t *time = json_object_get(claims, "iat");
  for (const json_t *better : {fuzz::member(claims, "toe"), fuzz::member(event, "event_timestamp")}) {
    time = better != nullptr ? better : time;
  }
  const auto before = date(time);
  expected.refuse_unless(before.has_value());
  const auto latest = static_cast<double>(settings.latest());
  expected.revocations.insert(shown(subject.kind, subject.value, subject.issuer, std::min(before.value_or(0), latest)));
}

void read_events(const Settings &settings, const json_t *claims, Expected &expected) {
  json_t *events = json_object_get(claims, "events");
  expected.refuse_unless(json_is_object(events) && json_object_size(events) != 0);
  const char *type = nullptr;
  json_t *event = nullptr;
  json_object_foreach(events, type, event) {
    read_event(settings, claims, type, event, expected);
  }
}

void read_logout(const json_t *claims, Expected &expected) {
  const json_t *events = json_object_get(claims, "events");
  expected.refuse_unless(json_is_object(json_object_get(events, "http://schemas.openid.net/event/backchannel-logout")));
  expected.refuse_unless(json_object_get(claims, "nonce") == nullptr);
  expected.refuse_unless(fuzz::member(claims, "exp") != nullptr);
  const char *kind = fuzz::member(claims, "sid") != nullptr ? "sid" : "sub";
  const auto value = word(claims, kind);
  expected.refuse_unless(value.has_value());
  expected.revocations.insert(shown(kind, value.value_or(""), word(claims, "iss").value_or(""),
                                    date(json_object_get(claims, "iat")).value_or(0)));
}

bool has_right_type(const json_t *header, bool is_logout) {
  return is_logout ? json_object_get(header, "typ") == nullptr || fuzz::has_typ(header, "jwt") ||
                         fuzz::has_typ(header, "logout+jwt")
                   : fuzz::has_typ(header, "secevent+jwt");
}

Expected judge(const Settings &settings, const json_t *header, const json_t *claims) {
  Expected expected;
  expected.refuse_unless(has_right_type(header, settings.is_logout));
  expected.refuse_unless(is_among(fuzz::member(claims, "iss"), settings.issuers), EventError::invalid_issuer);
  expected.refuse_unless(holds_one(fuzz::member(claims, "aud"), settings.audiences), EventError::invalid_audience);
  const auto now = static_cast<double>(settings.now);
  const auto iat = date(json_object_get(claims, "iat"));
  expected.refuse_unless(iat && *iat <= static_cast<double>(settings.latest()) &&
                         *iat + static_cast<double>(settings.keep) > now);
  const json_t *exp = fuzz::member(claims, "exp");
  expected.refuse_unless(exp == nullptr || (date(exp) && *date(exp) + static_cast<double>(settings.leeway) > now));
  expected.refuse_unless(word(claims, "jti").has_value());
  if (settings.is_logout) {
    read_logout(claims, expected);
  } else {
    read_events(settings, claims, expected);
  }
  return expected;
}

// --- what is compared ---

/// Whether both readers understand each number alike.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the values are.
bool has_open_number(const jose::JsonValue &value) {
  bool is_open = fuzz::is_rounded(&value) || fuzz::underflows(&value);
  for (const jose::JsonValue *item = value.first; item != nullptr && !is_open; item = item->next) {
    is_open = has_open_number(*item);
  }
  return is_open;
}

void require_expected(const oauth::EventResult &result, const Settings &settings, const Expected &expected,
                      const json_t *claims) {
  std::multiset<std::string> revocations;
  for (const oauth::EventRevocation *item = result.first; item != nullptr; item = item->next) {
    const oauth::Revocation &revocation = item->revocation;
    REQUIRE(revocation.before <= settings.latest());
    REQUIRE(!revocation.value.empty() && !revocation.issuer.empty());
    revocations.insert(shown(oauth::name(revocation.kind), revocation.value, revocation.issuer,
                             static_cast<double>(revocation.before)));
  }
  if (!expected.errors.empty()) {
    REQUIRE(expected.errors.count(result.error) != 0);
    REQUIRE(result.problem != nullptr && revocations.empty());
    return;
  }
  REQUIRE(result.error == EventError::none && result.problem == nullptr);
  REQUIRE(revocations == expected.revocations);
  REQUIRE((result.unknown != nullptr) == expected.has_unknown);
  REQUIRE(result.issuer == fuzz::string_member(claims, "iss") && result.jti == fuzz::string_member(claims, "jti"));
  REQUIRE(static_cast<double>(result.iat) == date(json_object_get(claims, "iat")));
}

/// Where memory runs out, the token is refused as a whole.
void require_refusal_without_memory(oauth::EventKind kind, const jose::Jwt &jwt, const Settings &settings,
                                    const Expected &expected) {
  fuzz::Memory memory(expected.revocations.empty() ? 0 : expected.revocations.size() - 1);
  const oauth::EventResult result = oauth::read_event(kind, jwt, settings.requirements(), settings.now, memory);
  REQUIRE((result.error == EventError::none) == (expected.errors.empty() && expected.revocations.empty()));
  REQUIRE(result.error == EventError::none || (result.problem != nullptr && result.first == nullptr));
}

}  // namespace

// A line with the settings, one with the header, then the claims.
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const Settings settings(input.line());
  const fuzz::Document header(input.line());
  const fuzz::Document claims(input.rest());
  if (!header.is_object || !claims.is_object || has_open_number(*claims.ours)) {
    return 0;
  }
  const Expected expected = judge(settings, header.theirs.get(), claims.theirs.get());
  const jose::Jwt jwt = {{}, header.ours, claims.ours};
  const auto kind = settings.is_logout ? oauth::EventKind::logout_token : oauth::EventKind::security_event;
  fuzz::Memory memory;
  require_expected(oauth::read_event(kind, jwt, settings.requirements(), settings.now, memory), settings, expected,
                   claims.theirs.get());
  require_refusal_without_memory(kind, jwt, settings, expected);
  return 0;
}
