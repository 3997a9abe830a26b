#include "oauth/security_event.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::int64_t now = 1000000;

/// What a token is read with. The member's defaults are those of most tests.
struct Reading {
  std::vector<std::string_view> issuers = {"https://as", "https://other"};
  std::vector<std::string_view> audiences = {"api", "app"};
  std::int64_t keep = 3600;
  std::int64_t leeway = 0;
  std::int64_t at = now;
};

/// Members of a JSON object: a name, and a value as JSON. An empty value is none.
using Members = std::vector<std::pair<std::string_view, std::string>>;

std::string object(const Members &members) {
  std::string json = "{";
  for (const auto &[name, value] : members) {
    if (!value.empty()) {
      json += (json.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + value;
    }
  }
  return json + '}';
}

/// @return the members, with these instead of those of the same name.
Members with(Members members, const Members &changes) {
  for (const auto &change : changes) {
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const auto &member) { return member.first == change.first; });
    if (found == members.end()) {
      members.push_back(change);
    } else {
      found->second = change.second;
    }
  }
  return members;
}

const JsonValue *parse(const TestText &text, Memory &memory) {
  const char *problem = nullptr;
  const JsonValue *value = parse_json(text.data(), text.size(), memory, problem);
  EXPECT_NE(value, nullptr) << problem;
  return value;
}

std::string shown(const EventRevocation &item) {
  const Revocation &revocation = item.revocation;
  return std::string(name(revocation.kind)) + ' ' + std::string(revocation.value) + " of " +
         std::string(revocation.issuer) + " before " + std::to_string(revocation.before);
}

std::string shown(const EventResult &result) {
  if (result.problem != nullptr) {
    EXPECT_NE(result.error, EventError::none);
    EXPECT_EQ(result.first, nullptr);
    return std::string(name(result.error)) + ": " + result.problem;
  }
  EXPECT_EQ(result.error, EventError::none);
  std::vector<std::string> lines;
  for (const EventRevocation *item = result.first; item != nullptr; item = item->next) {
    lines.push_back(shown(*item));
  }
  std::sort(lines.begin(), lines.end());
  if (result.unknown != nullptr) {
    lines.push_back("(" + std::string(result.unknown) + ")");
  }
  std::string text;
  for (const std::string &line : lines) {
    text += (text.empty() ? "" : ", ") + line;
  }
  return text;
}

std::string read(EventKind kind, const Members &header, const Members &claims, const Reading &reading = {}) {
  TestMemory memory;
  const TestText header_text(object(header));
  const TestText claims_text(object(claims));
  const Jwt jwt = {{}, parse(header_text, memory), parse(claims_text, memory)};
  if (jwt.header == nullptr || jwt.claims == nullptr) {
    return "no JSON";
  }
  const EventRequirements requirements = {{reading.issuers.data(), reading.issuers.size()},
                                          {reading.audiences.data(), reading.audiences.size()},
                                          reading.keep,
                                          reading.leeway};
  return shown(read_event(kind, jwt, requirements, reading.at, memory));
}

const Members logout_header = {{"alg", R"("RS256")"}, {"typ", R"("logout+jwt")"}};
const Members logout_claims = {
    {"iss", R"("https://as")"}, {"aud", R"("app")"},
    {"iat", "999990"},          {"exp", "1000120"},
    {"jti", R"("1")"},          {"events", R"({"http://schemas.openid.net/event/backchannel-logout":{}})"},
    {"sid", R"("s")"},          {"sub", R"("alice")"}};

std::string logout(const Members &changes, const Reading &reading = {}) {
  return read(EventKind::logout_token, logout_header, with(logout_claims, changes), reading);
}

constexpr std::string_view caep = "https://schemas.openid.net/secevent/caep/event-type/";
constexpr std::string_view risc = "https://schemas.openid.net/secevent/risc/event-type/";

std::string event(std::string_view type, std::string_view members = "") {
  return "{\"" + std::string(type) + "\":{" + std::string(members) + "}}";
}

const std::string session_revoked = std::string(caep) + "session-revoked";

const Members event_header = {{"alg", R"("RS256")"}, {"typ", R"("secevent+jwt")"}};
const Members event_claims = {
    {"iss", R"("https://as")"},         {"aud", R"("api")"},  {"iat", "999990"}, {"jti", R"("1")"},
    {"events", event(session_revoked)}, {"sub", R"("alice")"}};

std::string security_event(const Members &changes, const Reading &reading = {}) {
  return read(EventKind::security_event, event_header, with(event_claims, changes), reading);
}

constexpr std::string_view session_is_revoked = "sid s of https://as before 999990";
constexpr std::string_view user_is_revoked = "sub alice of https://as before 999990";

/// A change of one claim, and what comes of it.
struct Case {
  std::string_view name;
  std::string value;
  std::string_view expected;
};

// --- what both have in common ---

void expect_of_both(const std::vector<Case> &cases) {
  for (const Case &row : cases) {
    const bool is_taken = row.expected.empty();
    EXPECT_EQ(logout({{row.name, row.value}}), is_taken ? session_is_revoked : row.expected) << row.name << row.value;
    EXPECT_EQ(security_event({{row.name, row.value}}), is_taken ? user_is_revoked : row.expected)
        << row.name << row.value;
  }
}

TEST(SecurityEvent, IsTakenAsItIs) {
  EXPECT_EQ(logout({}), session_is_revoked);
  EXPECT_EQ(security_event({}), user_is_revoked);
}

TEST(SecurityEvent, IsOfItsType) {
  constexpr std::string_view refused = "invalid_request: its typ is another";
  const struct {
    std::string typ;
    bool is_logout;
    bool is_event;
  } cases[] = {
      {"", true, false},
      {R"("JWT")", true, false},
      {R"("jwt")", true, false},
      {R"("application/jwt")", true, false},
      {R"("logout+jwt")", true, false},
      {R"("Application/LOGOUT+JWT")", true, false},
      {R"("secevent+jwt")", false, true},
      {R"("application/secevent+jwt")", false, true},
      {R"("SecEvent+JWT")", false, true},
      {R"("at+jwt")", false, false},
      {R"("token-introspection+jwt")", false, false},
      {R"("secevent+jwt\u0000")", false, false},
      {R"("")", false, false},
      {"null", false, false},
      {"1", false, false},
      {R"(["JWT","logout+jwt","secevent+jwt"])", false, false},
  };
  for (const auto &row : cases) {
    EXPECT_EQ(read(EventKind::logout_token, with(logout_header, {{"typ", row.typ}}), logout_claims),
              row.is_logout ? session_is_revoked : refused)
        << row.typ;
    EXPECT_EQ(read(EventKind::security_event, with(event_header, {{"typ", row.typ}}), event_claims),
              row.is_event ? user_is_revoked : refused)
        << row.typ;
  }
}

TEST(SecurityEvent, IsOfAnExpectedIssuer) {
  constexpr std::string_view refused = "invalid_issuer: its iss is none of those that are expected";
  expect_of_both({{"iss", "", refused},
                  {"iss", "null", refused},
                  {"iss", R"("")", refused},
                  {"iss", R"("https://as/")", refused},
                  {"iss", R"("HTTPS://AS")", refused},
                  {"iss", R"(["https://as"])", refused},
                  {"iss", "1", refused}});
  EXPECT_EQ(logout({{"iss", R"("https://other")"}}), "sid s of https://other before 999990");
  EXPECT_EQ(security_event({{"iss", R"("https://other")"}}), "sub alice of https://other before 999990");
  EXPECT_EQ(security_event({{"iss", "1"}}, {{"1"}}), refused) << "a number is no issuer";
  EXPECT_EQ(security_event({}, {{}}), refused) << "where none is expected";
}

TEST(SecurityEvent, IsForAnExpectedAudience) {
  constexpr std::string_view refused = "invalid_audience: its aud is none of those that are expected";
  expect_of_both({{"aud", R"("api")", ""},
                  {"aud", R"("app")", ""},
                  {"aud", R"(["x","app"])", ""},
                  {"aud", R"(["api"])", ""},
                  {"aud", "", refused},
                  {"aud", "null", refused},
                  {"aud", R"("")", refused},
                  {"aud", R"("App")", refused},
                  {"aud", R"("app api")", refused},
                  {"aud", "[]", refused},
                  {"aud", R"(["x","y"])", refused},
                  {"aud", R"(["app",1])", refused},
                  {"aud", R"([["app"]])", refused},
                  {"aud", R"({"app":"app"})", refused},
                  {"aud", "1", refused}});
  EXPECT_EQ(security_event({}, {{"https://as"}, {}}), refused) << "where none is expected";
}

constexpr std::string_view no_iat = "invalid_request: it has no iat that is a number";
constexpr std::string_view ahead = "invalid_request: its iat is ahead";
constexpr std::string_view old = "invalid_request: its iat is too long ago";

TEST(SecurityEvent, HasANumberForItsIat) {
  expect_of_both({{"iat", "", no_iat},
                  {"iat", "null", no_iat},
                  {"iat", R"("999990")", no_iat},
                  {"iat", "[999990]", no_iat},
                  {"iat", "true", no_iat},
                  {"iat", "1e-400", no_iat},
                  {"iat", "999990.9", ""},
                  {"iat", "9.9999e5", ""},
                  {"iat", "-1", old},
                  {"iat", "-1e300", old},
                  {"iat", "1e300", ahead},
                  {"iat", "9223372036854775807", ahead},
                  {"iat", "-9223372036854775808", old}});
}

TEST(SecurityEvent, IsNotFromTheFutureNorTooOld) {
  const struct {
    std::int64_t iat;
    std::int64_t leeway;
    std::string_view expected;
  } cases[] = {
      {now, 0, ""},         {now + 5, 0, ""},     {now + 6, 0, ahead},      {now + 5, 3, ""},
      {now + 6, 3, ahead},  {now + 30, 30, ""},   {now + 31, 30, ahead},    {now - 3599, 0, ""},
      {now - 3600, 0, old}, {now - 3601, 0, old}, {now - 3600, 86400, old},
  };
  for (const auto &row : cases) {
    const std::string iat = std::to_string(row.iat);
    Reading reading;
    reading.leeway = row.leeway;
    EXPECT_EQ(logout({{"iat", iat}}, reading),
              row.expected.empty() ? "sid s of https://as before " + iat : row.expected)
        << iat;
    EXPECT_EQ(security_event({{"iat", iat}}, reading),
              row.expected.empty() ? "sub alice of https://as before " + iat : row.expected)
        << iat;
  }
}

TEST(SecurityEvent, HasNotExpired) {
  constexpr std::string_view expired = "invalid_request: it has expired";
  constexpr std::string_view no_number = "invalid_request: its exp is no number";
  expect_of_both({{"exp", "1000001", ""},
                  {"exp", "1e300", ""},
                  {"exp", "1000000", expired},
                  {"exp", "1000000.9", expired},
                  {"exp", "-1e300", expired},
                  {"exp", "0", expired},
                  {"exp", R"("1000120")", no_number},
                  {"exp", "false", no_number},
                  {"exp", "{}", no_number}});
  for (const std::string_view absent : {"", "null"}) {
    EXPECT_EQ(logout({{"exp", std::string(absent)}}), "invalid_request: it has no exp") << absent;
    EXPECT_EQ(security_event({{"exp", std::string(absent)}}), user_is_revoked) << absent;
  }
  Reading reading;
  reading.leeway = 30;
  EXPECT_EQ(logout({{"exp", "999971"}}, reading), session_is_revoked);
  EXPECT_EQ(logout({{"exp", "999970"}}, reading), expired);
}

TEST(SecurityEvent, HasAJti) {
  constexpr std::string_view refused = "invalid_request: it has no jti that is a string";
  expect_of_both({{"jti", R"("\u0000")", ""},
                  {"jti", "", refused},
                  {"jti", "null", refused},
                  {"jti", R"("")", refused},
                  {"jti", "1", refused},
                  {"jti", R"(["1"])", refused}});
}

TEST(SecurityEvent, HasEvents) {
  constexpr std::string_view refused = "invalid_request: it has no events";
  expect_of_both({{"events", "", refused},
                  {"events", "null", refused},
                  {"events", "{}", refused},
                  {"events", "[]", refused},
                  {"events", "[{}]", refused},
                  {"events", R"("http://schemas.openid.net/event/backchannel-logout")", refused},
                  {"events", "true", refused}});
}

TEST(SecurityEvent, IsKnownByItsIssuerAndItsJti) {
  TestMemory memory;
  const TestText header(object(event_header));
  const TestText claims(object(event_claims));
  const Jwt jwt = {{}, parse(header, memory), parse(claims, memory)};
  const std::string_view issuer = "https://as";
  const std::string_view audience = "api";
  const EventResult result =
      read_event(EventKind::security_event, jwt, {{&issuer, 1}, {&audience, 1}, 3600, 0}, now, memory);
  EXPECT_EQ(result.issuer, "https://as");
  EXPECT_EQ(result.jti, "1");
  EXPECT_EQ(result.iat, 999990);
}

TEST(SecurityEvent, IsRefusedForTheFirstFault) {
  const Members none = {{"iss", ""}, {"aud", ""}, {"iat", ""}, {"exp", ""}, {"jti", ""}, {"events", ""}};
  EXPECT_EQ(security_event(none), "invalid_issuer: its iss is none of those that are expected");
  Members changes = none;
  changes.erase(changes.begin());
  EXPECT_EQ(security_event(changes), "invalid_audience: its aud is none of those that are expected");
  changes.erase(changes.begin());
  EXPECT_EQ(security_event(changes), no_iat);
}

TEST(SecurityEvent, NamesItsErrorsAsRfc8935Does) {
  EXPECT_EQ(name(EventError::invalid_request), "invalid_request");
  EXPECT_EQ(name(EventError::invalid_key), "invalid_key");
  EXPECT_EQ(name(EventError::invalid_issuer), "invalid_issuer");
  EXPECT_EQ(name(EventError::invalid_audience), "invalid_audience");
}

TEST(SecurityEvent, NeverRevokesWhatIsYetToBeIssued) {
  std::mt19937_64 random(1);
  const auto below = [&random](std::uint64_t limit) { return static_cast<std::int64_t>(random() % limit); };
  const std::string_view issuer = "https://as";
  const std::string_view audience = "api";
  unsigned taken = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::int64_t time = below(1U << 31);
    const EventRequirements requirements = {{&issuer, 1}, {&audience, 1}, 1 + below(5000), below(60)};
    const auto near = [&] { return std::to_string(time + below(200) - 100); };
    const std::string events = event(session_revoked, "\"event_timestamp\":" + (i % 3 == 0 ? "null" : near()));
    const TestText header(R"({"typ":"secevent+jwt"})");
    const TestText claims(object(with(
        event_claims, {{"iat", near()}, {"toe", i % 2 == 0 ? "" : std::to_string(random())}, {"events", events}})));
    TestMemory memory;
    const Jwt jwt = {{}, parse(header, memory), parse(claims, memory)};
    const EventResult result = read_event(EventKind::security_event, jwt, requirements, time, memory);
    if (result.first != nullptr) {
      ++taken;
      EXPECT_LE(result.first->revocation.before, time + std::max<std::int64_t>(requirements.leeway, 5));
    }
  }
  EXPECT_GT(taken, 5000U);
}

// --- logout tokens ---

TEST(LogoutToken, RevokesTheSessionElseTheUser) {
  constexpr std::string_view refused = "invalid_request: it has neither a sid nor a sub that is a string";
  const struct {
    std::string sid;
    std::string sub;
    std::string_view expected;
  } cases[] = {
      {R"("s")", "", session_is_revoked},
      {R"("s")", "1", session_is_revoked},
      {"", R"("alice")", user_is_revoked},
      {"null", R"("alice")", user_is_revoked},
      {"", "", refused},
      {"null", "null", refused},
      {R"("")", R"("alice")", refused},
      {"1", R"("alice")", refused},
      {R"(["s"])", R"("alice")", refused},
      {"", R"("")", refused},
      {"", "1", refused},
      {"", R"({"a":"b"})", refused},
  };
  for (const auto &row : cases) {
    EXPECT_EQ(logout({{"sid", row.sid}, {"sub", row.sub}}), row.expected) << row.sid << row.sub;
  }
}

TEST(LogoutToken, HasTheEventOfALogout) {
  constexpr std::string_view refused = "invalid_request: its events have no back-channel logout";
  const std::string type = "http://schemas.openid.net/event/backchannel-logout";
  const Case cases[] = {
      {"events", event(type, R"("x":1)"), session_is_revoked},
      {"events", "{\"x\":1,\"" + type + "\":{}}", session_is_revoked},
      {"events", "{\"" + type + "\":null}", refused},
      {"events", "{\"" + type + "\":true}", refused},
      {"events", "{\"" + type + "\":[]}", refused},
      {"events", "{\"" + type + "\":\"\"}", refused},
      {"events", event(type + "/"), refused},
      {"events", event("https://schemas.openid.net/event/backchannel-logout"), refused},
      {"events", event(session_revoked), refused},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(logout({{row.name, row.value}}), row.expected) << row.value;
  }
}

TEST(LogoutToken, HasNoNonce) {
  for (const std::string_view nonce : {R"("n")", R"("")", "null", "1", "false"}) {
    EXPECT_EQ(logout({{"nonce", std::string(nonce)}}), "invalid_request: it has a nonce") << nonce;
  }
}

TEST(LogoutToken, RevokesUpToItsIat) {
  EXPECT_EQ(logout({{"toe", "1"}}), session_is_revoked);
  EXPECT_EQ(logout({{"iat", "1000005"}}), "sid s of https://as before 1000005");
}

// --- security event tokens ---

constexpr std::string_view unknown_event = "(an event is of a type that revokes nothing here)";
constexpr std::string_view unknown_subject = "(the subject of an event is of a format that names no token)";

TEST(SecurityEventToken, RevokesByTheEventsOfTheContract) {
  const struct {
    std::string_view profile;
    std::string_view type;
    bool revokes;
  } cases[] = {
      {caep, "session-revoked", true},
      {caep, "credential-change", true},
      {caep, "token-claims-change", false},
      {caep, "assurance-level-change", false},
      {caep, "device-compliance-change", false},
      {caep, "session-established", false},
      {caep, "session-presented", false},
      {caep, "account-disabled", false},
      {risc, "account-disabled", true},
      {risc, "account-purged", true},
      {risc, "credential-compromise", true},
      {risc, "sessions-revoked", true},
      {risc, "account-enabled", false},
      {risc, "identifier-changed", false},
      {risc, "identifier-recycled", false},
      {risc, "opt-in", false},
      {risc, "recovery-activated", false},
      {risc, "account-credential-change-required", false},
      {risc, "session-revoked", false},
      {"", "session-revoked", false},
      {"https://schemas.openid.net/secevent/ssf/event-type/", "verification", false},
      {"http://schemas.openid.net/event/", "backchannel-logout", false},
  };
  for (const auto &row : cases) {
    const std::string type = std::string(row.profile) + std::string(row.type);
    EXPECT_EQ(security_event({{"events", event(type)}}), row.revokes ? user_is_revoked : unknown_event) << type;
  }
}

TEST(SecurityEventToken, RevokesByEachOfItsEvents) {
  const std::string alice = R"({"subject":{"format":"iss_sub","iss":"https://as","sub":"alice"}})";
  const std::string token = R"({"subject":{"format":"jwt_id","iss":"https://as","jti":"j"},"event_timestamp":5})";
  const std::string broken = R"({"subject":{"format":"iss_sub"}})";
  const auto events = [](const std::string &one, const std::string &two, std::string_view other) {
    return "{\"" + session_revoked + "\":" + one + ",\"" + std::string(other) + "\":" + two + "}";
  };
  const std::string change = std::string(caep) + "credential-change";
  const Case cases[] = {
      {"events", events(alice, token, change), "jti j of https://as before 5, sub alice of https://as before 999990"},
      {"events", events(token, alice, change), "jti j of https://as before 5, sub alice of https://as before 999990"},
      {"events", events(alice, broken, "x"),
       "sub alice of https://as before 999990, (an event is of a type that revokes nothing here)"},
      {"events", events(broken, alice, change), "invalid_request: a subject lacks its iss, sub or jti"},
      {"events", events(alice, broken, change), "invalid_request: a subject lacks its iss, sub or jti"},
      {"events", events(alice, "null", "x"), "invalid_request: an event is no object"},
      {"events", events("[]", alice, change), "invalid_request: an event is no object"},
      {"events", events("true", alice, change), "invalid_request: an event is no object"},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(security_event({{row.name, row.value}}), row.expected) << row.value;
  }
}

TEST(SecurityEventToken, IsAboutSubIdElseTheEventsSubjectElseSub) {
  const auto user = [](std::string_view sub) {
    return R"({"format":"iss_sub","iss":"https://as","sub":")" + std::string(sub) + "\"}";
  };
  const auto of_event = [](const std::string &subject) {
    return subject.empty() ? event(session_revoked) : event(session_revoked, "\"subject\":" + subject);
  };
  constexpr std::string_view no_subject = "invalid_request: an event has no subject";
  const std::string opaque = R"({"format":"opaque","id":"x"})";
  const struct {
    std::string sub_id;
    std::string subject;
    std::string sub;
    std::string_view expected;
  } cases[] = {
      {user("a"), user("b"), R"("c")", "sub a of https://as before 999990"},
      {user("a"), "", "", "sub a of https://as before 999990"},
      {user("a"), "[]", "1", "sub a of https://as before 999990"},
      {"", user("b"), R"("c")", "sub b of https://as before 999990"},
      {"null", user("b"), "", "sub b of https://as before 999990"},
      {"", "", R"("c")", "sub c of https://as before 999990"},
      {"", "null", R"("c")", "sub c of https://as before 999990"},
      {"", "", "", no_subject},
      {"", "", "null", no_subject},
      {"", "", R"("")", no_subject},
      {"", "", "1", no_subject},
      {"", "", R"(["c"])", no_subject},
      {opaque, user("b"), R"("c")", unknown_subject},
      {"", opaque, R"("c")", unknown_subject},
      {"{}", user("b"), R"("c")", "invalid_request: a subject is no object with a format"},
      {R"("a")", "", R"("c")", "invalid_request: a subject is no object with a format"},
      {"", R"({"format":"jwt_id"})", R"("c")", "invalid_request: a subject lacks its iss, sub or jti"},
  };
  for (const auto &row : cases) {
    EXPECT_EQ(security_event({{"sub_id", row.sub_id}, {"events", of_event(row.subject)}, {"sub", row.sub}}),
              row.expected)
        << row.sub_id << row.subject << row.sub;
  }
  EXPECT_EQ(security_event({{"sub", ""}, {"events", event("x")}}), unknown_event) << "which needs no subject";
}

TEST(SecurityEventToken, KnowsTheSubjectsOfTheContract) {
  const std::string alice = R"("user":{"format":"iss_sub","iss":"https://as","sub":"alice"})";
  const std::string session = R"("session":{"format":"iss_sub","iss":"https://as","sub":"s"})";
  const std::string opaque = R"("session":{"format":"opaque","id":"x"})";
  const Case cases[] = {
      {"sub_id", R"({"format":"jwt_id","iss":"https://as","jti":"j"})", "jti j of https://as before 999990"},
      {"sub_id", R"({"format":"complex",)" + alice + "}", user_is_revoked},
      {"sub_id", R"({"format":"complex",)" + session + "}", session_is_revoked},
      {"sub_id", R"({"format":"complex",)" + alice + "," + session + "}", session_is_revoked},
      {"sub_id", R"({"format":"complex",)" + alice + "," + opaque + "}", user_is_revoked},
      {"sub_id", R"({"format":"complex",)" + opaque + "}", unknown_subject},
      {"sub_id", R"({"format":"email","email":"a@b"})", unknown_subject},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(security_event({{row.name, row.value}}), row.expected) << row.value;
  }
}

TEST(SecurityEventToken, SpeaksOnlyForIssuersThatAreExpected) {
  constexpr std::string_view refused = "invalid_request: the subject of an event is of another issuer";
  const auto user = [](std::string_view issuer) {
    return R"({"format":"iss_sub","iss":")" + std::string(issuer) + R"(","sub":"a"})";
  };
  const Case cases[] = {
      {"sub_id", user("https://as"), "sub a of https://as before 999990"},
      {"sub_id", user("https://other"), "sub a of https://other before 999990"},
      {"sub_id", user("https://evil"), refused},
      {"sub_id", user("https://as/"), refused},
      {"sub_id", R"({"format":"jwt_id","iss":"https://evil","jti":"a"})", refused},
      {"sub_id", R"({"format":"complex","user":)" + user("https://evil") + "}", refused},
      {"sub_id", R"({"format":"complex","session":)" + user("https://evil") + "}", refused},
      {"sub_id", R"({"format":"complex","user":)" + user("https://as") + R"(,"session":)" + user("x") + "}", refused},
      {"events", event(session_revoked, R"("subject":)" + user("https://evil")), refused},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(security_event({{row.name, row.value}}), row.expected) << row.value;
  }
}

TEST(SecurityEventToken, RevokesUpToEventTimestampElseToeElseIat) {
  constexpr std::string_view refused = "invalid_request: event_timestamp or toe is no number";
  const struct {
    std::string timestamp;
    std::string toe;
    std::int64_t leeway;
    std::string_view before;
  } cases[] = {
      {"5", "6", 0, "5"},
      {"5", R"("6")", 0, "5"},
      {"", "6", 0, "6"},
      {"null", "6.9", 0, "6"},
      {"", "null", 0, "999990"},
      {"-0.5", "", 0, "-1"},
      {"-1e300", "", 0, "-9223372036854775808"},
      {"1000000", "", 0, "1000000"},
      {"1000005", "", 0, "1000005"},
      {"1000006", "", 0, "1000005"},
      {"1000006", "", 3, "1000005"},
      {"1000000000", "", 0, "1000005"},
      {"1e300", "", 30, "1000030"},
      {"", "1000031", 30, "1000030"},
      {R"("5")", "6", 0, ""},
      {"[5]", "", 0, ""},
      {"true", "", 0, ""},
      {"1e-400", "", 0, ""},
      {"", R"("6")", 0, ""},
      {"", "{}", 0, ""},
  };
  for (const auto &row : cases) {
    const std::string member = row.timestamp.empty() ? "" : "\"event_timestamp\":" + row.timestamp;
    Reading reading;
    reading.leeway = row.leeway;
    EXPECT_EQ(security_event({{"events", event(session_revoked, member)}, {"toe", row.toe}}, reading),
              row.before.empty() ? refused : "sub alice of https://as before " + std::string(row.before))
        << row.timestamp << ' ' << row.toe;
  }
}

TEST(SecurityEventToken, MayHaveANonce) {
  EXPECT_EQ(security_event({{"nonce", R"("n")"}}), user_is_revoked);
}

TEST(SecurityEventToken, IsRefusedWithoutMemory) {
  TestMemory plenty;
  const std::string two = "{\"" + session_revoked + "\":{},\"" + std::string(risc) + "account-disabled\":{}}";
  const TestText header(object(event_header));
  const TestText claims(object(with(event_claims, {{"events", two}})));
  const Jwt jwt = {{}, parse(header, plenty), parse(claims, plenty)};
  const std::string_view issuer = "https://as";
  const std::string_view audience = "api";
  expect_refusal_without_memory([&](Memory &memory) {
    const EventResult result =
        read_event(EventKind::security_event, jwt, {{&issuer, 1}, {&audience, 1}, 3600, 0}, now, memory);
    EXPECT_TRUE(result.problem == nullptr || (result.problem == "no memory to read it"sv && result.first == nullptr));
    return result.error == EventError::none;
  });
}

}  // namespace
}  // namespace oauth
