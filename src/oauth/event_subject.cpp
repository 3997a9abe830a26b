#include "event_subject.h"

namespace oauth {
namespace {

using jose::JsonKind;
using jose::JsonValue;

constexpr std::string_view complex_format = "complex";

EventSubject invalid(const char *problem) noexcept {
  EventSubject subject;
  subject.problem = problem;
  return subject;
}

EventSubject known(RevokedKind kind, std::string_view value, std::string_view issuer) noexcept {
  EventSubject subject;
  subject.is_known = true;
  subject.revocation = {kind, value, issuer, 0};
  return subject;
}

/// @return the text of a string member; empty where there is none.
std::string_view text_of(const JsonValue &object, std::string_view name) noexcept {
  const JsonValue *member = object.member(name);
  return member != nullptr && member->kind == JsonKind::string ? member->text : std::string_view();
}

/// @param name the member that names it, beside `iss`.
EventSubject read_issued(const JsonValue &subject, RevokedKind kind, std::string_view name) noexcept {
  const std::string_view issuer = text_of(subject, "iss");
  const std::string_view value = text_of(subject, name);
  return issuer.empty() || value.empty() ? invalid("a subject lacks its iss, sub or jti") : known(kind, value, issuer);
}

EventSubject read_simple(const JsonValue &subject) noexcept {
  const std::string_view format = text_of(subject, "format");
  if (format.empty()) {
    return invalid("a subject is no object with a format");
  }
  if (format == "iss_sub") {
    return read_issued(subject, RevokedKind::sub, "sub");
  }
  return format == "jwt_id" ? read_issued(subject, RevokedKind::jti, "jti") : EventSubject();
}

/// A part of a complex subject. One that is not there is unknown.
EventSubject read_part(const JsonValue &subject, std::string_view name) noexcept {
  const JsonValue *part = subject.member(name);
  return part == nullptr ? EventSubject() : read_simple(*part);
}

EventSubject read_complex(const JsonValue &subject) noexcept {
  EventSubject session = read_part(subject, "session");
  const EventSubject user = read_part(subject, "user");
  if (session.problem != nullptr || user.problem != nullptr) {
    return session.problem != nullptr ? session : user;
  }
  // A session that is named by iss_sub is what tokens have as `sid`.
  if (session.is_known && session.revocation.kind == RevokedKind::sub) {
    session.revocation.kind = RevokedKind::sid;
  }
  return session.is_known ? session : user;
}

}  // namespace

EventSubject read_event_subject(const JsonValue &subject) noexcept {
  return text_of(subject, "format") == complex_format ? read_complex(subject) : read_simple(subject);
}

}  // namespace oauth
