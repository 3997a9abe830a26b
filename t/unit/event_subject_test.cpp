#include "oauth/event_subject.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

std::string shown(std::string_view json) {
  TestMemory memory;
  const TestText text(json);
  const char *problem = nullptr;
  const JsonValue *value = parse_json(text.data(), text.size(), memory, problem);
  if (value == nullptr) {
    return "no JSON";
  }
  const EventSubject subject = read_event_subject(*value);
  if (subject.problem != nullptr) {
    EXPECT_FALSE(subject.is_known) << json;
    return subject.problem;
  }
  if (!subject.is_known) {
    return "unknown";
  }
  EXPECT_EQ(subject.revocation.before, 0) << json;
  return std::string(name(subject.revocation.kind)) + ' ' + std::string(subject.revocation.value) + " of " +
         std::string(subject.revocation.issuer);
}

struct Case {
  std::string subject;
  std::string_view expected;
};

constexpr std::string_view no_format = "a subject is no object with a format";
constexpr std::string_view incomplete = "a subject lacks its iss, sub or jti";

TEST(EventSubject, IsAUserOrATokenOfAnIssuer) {
  const Case cases[] = {
      {R"({"format":"iss_sub","iss":"i","sub":"alice"})", "sub alice of i"},
      {R"({"format":"iss_sub","iss":"i","sub":"alice","jti":"j","x":{}})", "sub alice of i"},
      {R"({"format":"jwt_id","iss":"i","jti":"j","sub":"alice"})", "jti j of i"},
      {R"({"f\u006frmat":"iss_sub","iss":"\u0069","sub":"\u00e4"})", "sub \xc3\xa4 of i"},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(shown(row.subject), row.expected) << row.subject;
  }
}

TEST(EventSubject, IsUnknownInOtherFormats) {
  for (const std::string_view subject :
       {R"({"format":"email","email":"a@b"})", R"({"format":"opaque","id":"x"})", R"({"format":"account","uri":"u"})",
        R"({"format":"phone_number"})", R"({"format":"did"})", R"({"format":"uri"})", R"({"format":"ip-addresses"})",
        R"({"format":"saml_assertion_id","issuer":"i"})",
        R"({"format":"aliases","identifiers":[{"format":"iss_sub","iss":"i","sub":"a"}]})",
        R"({"format":"ISS_SUB","iss":"i","sub":"a"})", R"({"format":"iss_sub\u0000","iss":"i","sub":"a"})",
        R"({"format":"x"})"}) {
    EXPECT_EQ(shown(subject), "unknown") << subject;
  }
}

TEST(EventSubject, IsRefusedWithoutAFormat) {
  for (const std::string_view subject :
       {R"("alice")", "1", "true", "[]", R"([{"format":"iss_sub","iss":"i","sub":"a"}])", "{}",
        R"({"iss":"i","sub":"a"})", R"({"format":null,"iss":"i","sub":"a"})", R"({"format":1,"iss":"i","sub":"a"})",
        R"({"format":"","iss":"i","sub":"a"})", R"({"format":["iss_sub"],"iss":"i","sub":"a"})",
        R"({"subject_type":"iss-sub","iss":"i","sub":"a"})"}) {
    EXPECT_EQ(shown(subject), no_format) << subject;
  }
}

TEST(EventSubject, IsRefusedWithoutWhatItsFormatNeeds) {
  for (const std::string_view bad : {"", R"(:null)", R"(:"")", R"(:1)", R"(:["x"])", R"(:{})"}) {
    const auto member = [bad](std::string_view name) {
      return bad.empty() ? "" : ",\"" + std::string(name) + '"' + std::string(bad);
    };
    for (const std::string &subject : {R"({"format":"iss_sub","iss":"i")" + member("sub") + "}",
                                       R"({"format":"iss_sub","sub":"a")" + member("iss") + "}",
                                       R"({"format":"jwt_id","iss":"i")" + member("jti") + "}",
                                       R"({"format":"jwt_id","jti":"a")" + member("iss") + "}"}) {
      EXPECT_EQ(shown(subject), incomplete) << subject;
    }
  }
  EXPECT_EQ(shown(R"({"format":"iss_sub","iss":"i","jti":"j"})"), incomplete);
  EXPECT_EQ(shown(R"({"format":"jwt_id","iss":"i","sub":"a"})"), incomplete);
}

/// @param user, session members with their commas before them; empty: none.
std::string complex_subject(std::string_view user, std::string_view session) {
  std::string text = R"({"format":"complex","device":{"format":"opaque","id":"d"})";
  text += user.empty() ? "" : R"(,"user":)" + std::string(user);
  text += session.empty() ? "" : R"(,"session":)" + std::string(session);
  return text + '}';
}

TEST(EventSubject, IsTheSessionElseTheUserOfAComplexOne) {
  constexpr std::string_view alice = R"({"format":"iss_sub","iss":"i","sub":"alice"})";
  constexpr std::string_view token = R"({"format":"jwt_id","iss":"i","jti":"j"})";
  constexpr std::string_view session = R"({"format":"iss_sub","iss":"i","sub":"s"})";
  constexpr std::string_view opaque = R"({"format":"opaque","id":"x"})";
  constexpr std::string_view broken = R"({"format":"iss_sub","iss":"i"})";
  const Case cases[] = {
      {complex_subject(alice, ""), "sub alice of i"},
      {complex_subject(token, ""), "jti j of i"},
      {complex_subject("", session), "sid s of i"},
      {complex_subject("", token), "jti j of i"},
      {complex_subject(alice, session), "sid s of i"},
      {complex_subject(alice, token), "jti j of i"},
      {complex_subject(alice, opaque), "sub alice of i"},
      {complex_subject(opaque, session), "sid s of i"},
      {complex_subject(opaque, opaque), "unknown"},
      {complex_subject(opaque, ""), "unknown"},
      {complex_subject("", ""), "unknown"},
      {complex_subject("null", "null"), "unknown"},
      {complex_subject(alice, "null"), "sub alice of i"},
      {complex_subject(complex_subject(alice, ""), ""), "unknown"},
      {complex_subject(broken, session), incomplete},
      {complex_subject(alice, broken), incomplete},
      {complex_subject(broken, opaque), incomplete},
      {complex_subject("\"alice\"", session), no_format},
      {complex_subject(alice, "{}"), no_format},
      {complex_subject("[]", "[]"), no_format},
  };
  for (const Case &row : cases) {
    EXPECT_EQ(shown(row.subject), row.expected) << row.subject;
  }
}

}  // namespace
}  // namespace oauth
