#include "decision.h"

#include <algorithm>
#include <array>
#include <limits>

namespace oauth {

namespace {

constexpr Decision holds = {Outcome::active, nullptr};

std::int64_t saturating_add(std::int64_t one, std::int64_t other) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  std::int64_t sum = 0;
  if (__builtin_add_overflow(one, other, &sum)) {
    return other < 0 ? Limits::min() : Limits::max();
  }
  return sum;
}

/// Everything that may say when a token begins and ends: what is there must hold.
using Sources = std::array<const JsonValue *, 3>;

Sources sources_of_times(const Introspection &introspection) noexcept {
  return {introspection.members, introspection.jwt.claims, introspection.envelope};
}

/// @param is_wrong whether that time, in seconds since the epoch, speaks against the token.
template <typename IsWrong>
Decision check_times(const Introspection &introspection, std::string_view name, Rounding rounding, IsWrong is_wrong,
                     Outcome refusal) noexcept {
  for (const JsonValue *source : sources_of_times(introspection)) {
    const JsonValue *value = source == nullptr ? nullptr : source->member(name);
    if (value == nullptr) {
      continue;
    }
    std::int64_t seconds = 0;
    if (!read_numeric_date(*value, rounding, seconds)) {
      return {Outcome::as_bad_response, "exp or nbf is not a number"};
    }
    if (is_wrong(seconds)) {
      return {refusal, nullptr};
    }
  }
  return holds;
}

// RFC 7519 section 4.1.4: not accepted on or after `exp`.
Decision check_expiry(const Introspection &introspection, const Policy &policy, std::int64_t now) noexcept {
  const auto is_past = [&](std::int64_t exp) noexcept { return saturating_add(exp, policy.leeway) <= now; };
  return check_times(introspection, "exp", Rounding::down, is_past, Outcome::expired);
}

// RFC 7519 section 4.1.5: not accepted before `nbf`.
Decision check_start(const Introspection &introspection, const Policy &policy, std::int64_t now) noexcept {
  const auto is_ahead = [&](std::int64_t nbf) noexcept { return nbf > saturating_add(now, policy.leeway); };
  return check_times(introspection, "nbf", Rounding::up, is_ahead, Outcome::not_yet_valid);
}

bool is_one_of(const JsonValue &value, Strings allowed) noexcept {
  return value.kind == JsonKind::string && std::find(allowed.begin(), allowed.end(), value.text) != allowed.end();
}

// RFC 7519 section 4.1.3: `aud` is a string or an array of strings.
bool contains_one_of(const JsonValue &value, Strings allowed) noexcept {
  if (value.kind != JsonKind::array) {
    return is_one_of(value, allowed);
  }
  const JsonValue *element = value.first;
  while (element != nullptr && !is_one_of(*element, allowed)) {
    element = element->next;
  }
  return element != nullptr;
}

/// The JWT must carry the claim; a JSON response need not, but what it says must hold too.
using Predicate = bool (*)(const JsonValue &value, Strings allowed) noexcept;
bool claim_holds(const Introspection &introspection, std::string_view name, Strings allowed,
                 Predicate predicate) noexcept {
  const JsonValue *claim = introspection.jwt.claims->member(name);
  const JsonValue *member = introspection.members == nullptr ? nullptr : introspection.members->member(name);
  return claim != nullptr && predicate(*claim, allowed) && (member == nullptr || predicate(*member, allowed));
}

Decision check_issuer(const Introspection &introspection, const Policy &policy, std::int64_t /*now*/) noexcept {
  const Strings &allowed = policy.issuers;
  return allowed.empty() || claim_holds(introspection, "iss", allowed, is_one_of) ? holds : Decision{Outcome::issuer};
}

Decision check_audience(const Introspection &introspection, const Policy &policy, std::int64_t /*now*/) noexcept {
  const Strings &allowed = policy.audiences;
  return allowed.empty() || claim_holds(introspection, "aud", allowed, contains_one_of) ? holds
                                                                                        : Decision{Outcome::audience};
}

// RFC 7800 section 3.1, RFC 9449 section 6.2. Only a string has the text that token_type is compared with.
bool is_sender_constrained(const JsonValue *members) noexcept {
  if (members == nullptr) {
    return false;
  }
  const JsonValue *token_type = members->member("token_type");
  return members->member("cnf") != nullptr || (token_type != nullptr && equal_ignoring_case(token_type->text, "DPoP"));
}

Decision check_binding(const Introspection &introspection, const Policy &policy, std::int64_t /*now*/) noexcept {
  const bool bound = is_sender_constrained(introspection.members) || is_sender_constrained(introspection.jwt.claims);
  return bound && !policy.accept_sender_constrained ? Decision{Outcome::bound} : holds;
}

const JsonValue *granted_scopes(const Introspection &introspection) noexcept {
  if (introspection.members != nullptr) {
    if (const JsonValue *scope = introspection.members->member("scope")) {
      return scope;
    }
  }
  const JsonValue *scope = introspection.jwt.claims->member("scope");
  return scope != nullptr ? scope : introspection.jwt.claims->member("scp");
}

Decision check_scopes(const Introspection &introspection, const Policy &policy, std::int64_t /*now*/) noexcept {
  return scopes_satisfied(policy.scopes, policy.scope_match, granted_scopes(introspection))
             ? holds
             : Decision{Outcome::insufficient_scope};
}

using Check = Decision (*)(const Introspection &introspection, const Policy &policy, std::int64_t now) noexcept;
constexpr Check checks[] = {check_expiry, check_start, check_issuer, check_audience, check_binding, check_scopes};

}  // namespace

Decision decide(const Introspection &introspection, const Policy &policy, std::int64_t now) noexcept {
  if (introspection.outcome != Outcome::active) {
    return {introspection.outcome, introspection.problem};
  }
  if (introspection.jwt.claims == nullptr) {
    return {};
  }
  for (const Check check : checks) {
    const Decision decision = check(introspection, policy, now);
    if (decision.outcome != Outcome::active) {
      return decision;
    }
  }
  return holds;
}

std::int64_t earliest_expiry(const Introspection &introspection) noexcept {
  std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
  for (const JsonValue *source : sources_of_times(introspection)) {
    const JsonValue *exp = source == nullptr ? nullptr : source->member("exp");
    std::int64_t seconds = 0;
    if (exp != nullptr && read_numeric_date(*exp, Rounding::down, seconds)) {
      earliest = std::min(earliest, seconds);
    }
  }
  return earliest;
}

}  // namespace oauth
