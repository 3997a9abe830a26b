#include "security_event.h"

#include <algorithm>
#include <iterator>

#include "../jose/json.h"
#include "allowed_values.h"
#include "event_subject.h"

namespace oauth {
namespace {

using jose::JsonKind;
using jose::JsonValue;

constexpr std::string_view backchannel_logout = "http://schemas.openid.net/event/backchannel-logout";

/// CAEP 1.0 sections 3.1 and 3.3, RISC 1.0 section 2: what the subject was issued before one of these counts no longer.
constexpr std::string_view revoking_events[] = {
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "https://schemas.openid.net/secevent/risc/event-type/account-purged",
    "https://schemas.openid.net/secevent/risc/event-type/credential-compromise",
    "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked",
};

/// Clocks differ a little.
std::int64_t skew_of(const EventRequirements &requirements) noexcept {
  constexpr std::int64_t smallest_skew = 5;
  return std::max(requirements.leeway, smallest_skew);
}

/// What has been read of an event token so far.
class Reader {
 public:
  Reader(EventKind kind, const jose::Jwt &jwt, const EventRequirements &requirements, std::int64_t now,
         jose::Memory &memory) noexcept
      : kind_(kind), jwt_(jwt), claims_(*jwt.claims), requirements_(requirements), now_(now), memory_(memory) {}

  EventResult read() noexcept {
    if (check_type() && check_issuer() && check_audience() && read_times() && read_jti() && read_events()) {
      result_.error = EventError::none;
    }
    return result_;
  }

 private:
  bool refuse(const char *problem, EventError error = EventError::invalid_request) noexcept {
    result_.error = error;
    result_.problem = problem;
    result_.first = nullptr;
    return false;
  }

  bool check_type() noexcept {
    const bool is_right = kind_ == EventKind::security_event
                              ? jose::has_type(jwt_, "secevent+jwt")
                              : jwt_.header->member_or_null("typ") == nullptr || jose::has_type(jwt_, "JWT") ||
                                    jose::has_type(jwt_, "logout+jwt");
    return is_right || refuse("its typ is another");
  }

  bool check_issuer() noexcept {
    const JsonValue *issuer = claims_.member("iss");
    if (issuer == nullptr || !is_one_of(*issuer, requirements_.issuers)) {
      return refuse("its iss is none of those that are expected", EventError::invalid_issuer);
    }
    result_.issuer = issuer->text;
    return true;
  }

  bool check_audience() noexcept {
    const JsonValue *audience = claims_.member("aud");
    return (audience != nullptr && contains_one_of(*audience, requirements_.audiences)) ||
           refuse("its aud is none of those that are expected", EventError::invalid_audience);
  }

  bool read_times() noexcept {
    const JsonValue *iat = claims_.member("iat");
    if (iat == nullptr || !jose::read_numeric_date(*iat, result_.iat)) {
      return refuse("it has no iat that is a number");
    }
    if (result_.iat > now_ + skew_of(requirements_)) {
      return refuse("its iat is ahead");
    }
    // At iat + keep it is forgotten, and would count once more.
    return result_.iat <= now_ - requirements_.keep ? refuse("its iat is too long ago") : check_expiry();
  }

  bool check_expiry() noexcept {
    const JsonValue *exp = claims_.member("exp");
    if (exp == nullptr) {
      return kind_ == EventKind::security_event || refuse("it has no exp");
    }
    std::int64_t seconds = 0;
    if (!jose::read_numeric_date(*exp, seconds)) {
      return refuse("its exp is no number");
    }
    return seconds > now_ - requirements_.leeway || refuse("it has expired");
  }

  bool read_jti() noexcept {
    const JsonValue *jti = claims_.member("jti");
    if (jti == nullptr || jti->kind != JsonKind::string || jti->text.empty()) {
      return refuse("it has no jti that is a string");
    }
    result_.jti = jti->text;
    return true;
  }

  bool read_events() noexcept {
    const JsonValue *events = claims_.member("events");
    if (events == nullptr || events->kind != JsonKind::object || events->first == nullptr) {
      return refuse("it has no events");
    }
    if (kind_ == EventKind::logout_token) {
      return read_logout(*events);
    }
    for (const JsonValue *event = events->first; event != nullptr; event = event->next) {
      if (!read_event(*event)) {
        return false;
      }
    }
    return true;
  }

  // Section 2.6 of the specification: `nonce` must not be there, so that no ID token passes for a logout token.
  bool read_logout(const JsonValue &events) noexcept {
    const JsonValue *event = events.member(backchannel_logout);
    if (event == nullptr || event->kind != JsonKind::object) {
      return refuse("its events have no back-channel logout");
    }
    if (claims_.member_or_null("nonce") != nullptr) {
      return refuse("it has a nonce");
    }
    const bool has_session = claims_.member("sid") != nullptr;
    const RevokedKind kind = has_session ? RevokedKind::sid : RevokedKind::sub;
    const JsonValue *value = claims_.member(oauth::name(kind));
    if (value == nullptr || value->kind != JsonKind::string || value->text.empty()) {
      return refuse("it has neither a sid nor a sub that is a string");
    }
    return add({kind, value->text, result_.issuer, result_.iat});
  }

  bool read_event(const JsonValue &event) noexcept {
    if (event.kind != JsonKind::object) {
      return refuse("an event is no object");
    }
    if (std::find(std::begin(revoking_events), std::end(revoking_events), event.name) == std::end(revoking_events)) {
      result_.unknown = "an event is of a type that revokes nothing here";
      return true;
    }
    EventSubject subject = find_subject(event);
    if (subject.problem != nullptr) {
      return refuse(subject.problem);
    }
    if (!subject.is_known) {
      result_.unknown = "the subject of an event is of a format that names no token";
      return true;
    }
    if (!may_speak_for(subject.revocation.issuer)) {
      return refuse("the subject of an event is of another issuer");
    }
    return read_time(event, subject.revocation.before) && add(subject.revocation);
  }

  EventSubject find_subject(const JsonValue &event) const noexcept {
    const JsonValue *subject = claims_.member("sub_id");
    subject = subject != nullptr ? subject : event.member("subject");
    if (subject != nullptr) {
      return read_event_subject(*subject);
    }
    EventSubject of_token;
    subject = claims_.member("sub");
    if (subject == nullptr || subject->kind != JsonKind::string || subject->text.empty()) {
      of_token.problem = "an event has no subject";
      return of_token;
    }
    of_token.is_known = true;
    of_token.revocation = {RevokedKind::sub, subject->text, result_.issuer, 0};
    return of_token;
  }

  bool may_speak_for(std::string_view issuer) const noexcept {
    const jose::Strings &issuers = requirements_.issuers;
    return issuer == result_.issuer || std::find(issuers.begin(), issuers.end(), issuer) != issuers.end();
  }

  /// When the event happened. A time that is ahead would take tokens with it that are yet to be issued.
  bool read_time(const JsonValue &event, std::int64_t &seconds) noexcept {
    const JsonValue *time = event.member("event_timestamp");
    time = time != nullptr ? time : claims_.member("toe");
    seconds = result_.iat;
    if (time != nullptr && !jose::read_numeric_date(*time, seconds)) {
      return refuse("event_timestamp or toe is no number");
    }
    seconds = std::min(seconds, now_ + skew_of(requirements_));
    return true;
  }

  bool add(const Revocation &revocation) noexcept {
    auto *item = memory_.make<EventRevocation>();
    if (item == nullptr) {
      return refuse("no memory to read it");
    }
    item->revocation = revocation;
    item->next = result_.first;
    result_.first = item;
    return true;
  }

  EventKind kind_;
  const jose::Jwt &jwt_;
  const JsonValue &claims_;
  const EventRequirements &requirements_;
  std::int64_t now_;
  jose::Memory &memory_;
  EventResult result_;
};

}  // namespace

std::string_view name(EventError error) noexcept {
  switch (error) {
    case EventError::invalid_key:
      return "invalid_key";
    case EventError::invalid_issuer:
      return "invalid_issuer";
    case EventError::invalid_audience:
      return "invalid_audience";
    default:
      return "invalid_request";
  }
}

EventResult read_event(EventKind kind, const jose::Jwt &jwt, const EventRequirements &requirements, std::int64_t now,
                       jose::Memory &memory) noexcept {
  return Reader(kind, jwt, requirements, now, memory).read();
}

}  // namespace oauth
