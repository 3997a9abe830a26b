// The decision over claims, members and envelope: allowed exactly where jansson's reading of the same texts satisfies
// the requirements.

#include "oauth/decision.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "document.h"
#include "fuzz.h"
#include "oauth/token_information_codec.h"
#include "oracle.h"

namespace {

constexpr std::int64_t now = 1700000000;

/// The requirements as a line: scopes, `all` or `any`, issuers, audiences, leeway, `refuse` or `pass`, values of acr,
/// age, with `;` between them.
struct RequirementsLine {
  explicit RequirementsLine(std::string_view line) {
    std::string_view fields[8];
    for (std::string_view &field : fields) {
      field = line.substr(0, line.find(';'));
      line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    for (const std::string_view scope : fuzz::split(fields[0], ' ')) {
      if (oauth::is_required_scope(scope)) {
        scopes.push_back(scope);
      }
    }
    any = fields[1] == "any";
    issuers = fuzz::split(fields[2], ' ');
    audiences = fuzz::split(fields[3], ' ');
    std::from_chars(fields[4].data(), fields[4].data() + std::min<std::size_t>(fields[4].size(), 9), leeway);
    leeway = std::max<std::int64_t>(leeway, 0);
    accept_bound = fields[5] == "pass";
    acr_values = fuzz::split(fields[6], ' ');
    std::from_chars(fields[7].data(), fields[7].data() + std::min<std::size_t>(fields[7].size(), 9), max_auth_age);
    max_auth_age = std::max(max_auth_age, oauth::Requirements::any_age);
  }

  oauth::Requirements requirements() const {
    return {fuzz::strings(scopes),
            any ? oauth::ScopeMatch::any : oauth::ScopeMatch::all,
            fuzz::strings(issuers),
            fuzz::strings(audiences),
            leeway,
            fuzz::strings(acr_values),
            max_auth_age,
            accept_bound ? oauth::Confirmation::pass : oauth::Confirmation::refuse};
  }

  std::vector<std::string_view> scopes, issuers, audiences, acr_values;
  bool any = false;
  std::int64_t leeway = 0;
  std::int64_t max_auth_age = oauth::Requirements::any_age;
  bool accept_bound = false;
};

/// What speaks of one token. A document that is not there is nullptr.
struct Documents {
  const json_t *members = nullptr;
  const json_t *claims = nullptr;
  const json_t *envelope = nullptr;
};

bool times_hold(const json_t *document, double leeway) {
  const json_t *exp = fuzz::member(document, "exp");
  const json_t *nbf = fuzz::member(document, "nbf");
  if ((exp != nullptr && !json_is_real(exp)) || (nbf != nullptr && !json_is_real(nbf))) {
    return false;
  }
  return (exp == nullptr || std::floor(json_real_value(exp)) + leeway > now) &&
         (nbf == nullptr || std::floor(json_real_value(nbf)) <= now + leeway);
}

bool is_among(const json_t *value, const std::vector<std::string_view> &allowed) {
  return json_is_string(value) && std::find(allowed.begin(), allowed.end(), fuzz::text_of(value)) != allowed.end();
}

bool holds_one(const json_t *value, const std::vector<std::string_view> &allowed) {
  for (std::size_t i = 0; fuzz::is_array_of_strings(value) && i < json_array_size(value); ++i) {
    if (is_among(json_array_get(value, i), allowed)) {
      return true;
    }
  }
  return is_among(value, allowed);
}

bool issuer_and_audience_hold(const Documents &documents, const RequirementsLine &line) {
  const json_t *iss = fuzz::member(documents.members, "iss");
  const json_t *aud = fuzz::member(documents.members, "aud");
  const json_t *issued = documents.claims != nullptr ? documents.claims : documents.members;
  return (line.issuers.empty() ||
          (is_among(fuzz::member(issued, "iss"), line.issuers) && (iss == nullptr || is_among(iss, line.issuers)))) &&
         (line.audiences.empty() || (holds_one(fuzz::member(issued, "aud"), line.audiences) &&
                                     (aud == nullptr || holds_one(aud, line.audiences))));
}

bool is_bound(const json_t *document) {
  const auto type = fuzz::string_member(document, "token_type");
  return fuzz::member(document, "cnf") != nullptr || (type && fuzz::same_word(*type, "dpop"));
}

const json_t *granted_by(const Documents &documents) {
  if (const json_t *scope = fuzz::member(documents.members, "scope")) {
    return scope;
  }
  const json_t *scope = fuzz::member(documents.claims, "scope");
  return scope != nullptr ? scope : fuzz::member(documents.claims, "scp");
}

bool has_scope(const json_t *granted, std::string_view required) {
  std::vector<std::string_view> scopes;
  if (json_is_string(granted)) {
    scopes = fuzz::split(fuzz::text_of(granted), ' ');
  }
  for (std::size_t i = 0; fuzz::is_array_of_strings(granted) && i < json_array_size(granted); ++i) {
    scopes.push_back(fuzz::text_of(json_array_get(granted, i)));
  }
  const bool is_prefix = required.back() == '*';
  const std::string_view wanted = required.substr(0, required.size() - (is_prefix ? 1 : 0));
  return std::any_of(scopes.begin(), scopes.end(), [&](std::string_view scope) {
    return scope.substr(0, is_prefix ? wanted.size() : scope.size()) == wanted;
  });
}

bool scopes_hold(const Documents &documents, const RequirementsLine &line) {
  const json_t *granted = granted_by(documents);
  const auto count = std::count_if(line.scopes.begin(), line.scopes.end(),
                                   [&](std::string_view scope) { return has_scope(granted, scope); });
  return line.any && !line.scopes.empty() ? count > 0 : count == static_cast<std::ptrdiff_t>(line.scopes.size());
}

/// Of the JWT, else of the response.
const json_t *first_member(const Documents &documents, const char *name) {
  const json_t *claim = fuzz::member(documents.claims, name);
  return claim != nullptr ? claim : fuzz::member(documents.members, name);
}

bool authentication_holds(const Documents &documents, const RequirementsLine &line) {
  const json_t *auth_time = first_member(documents, "auth_time");
  const double ahead = static_cast<double>(std::max<std::int64_t>(line.leeway, 5));
  const double time = json_is_real(auth_time) ? std::floor(json_real_value(auth_time)) : -HUGE_VAL;
  const bool is_recent =
      line.max_auth_age == oauth::Requirements::any_age ||
      (time + static_cast<double>(line.max_auth_age) >= now && time <= static_cast<double>(now) + ahead);
  return is_recent && (line.acr_values.empty() || is_among(first_member(documents, "acr"), line.acr_values));
}

bool may_pass(const Documents &documents, const RequirementsLine &line) {
  const auto leeway = static_cast<double>(line.leeway);
  return times_hold(documents.members, leeway) && times_hold(documents.claims, leeway) &&
         times_hold(documents.envelope, leeway) && issuer_and_audience_hold(documents, line) &&
         (line.accept_bound || (!is_bound(documents.members) && !is_bound(documents.claims))) &&
         scopes_hold(documents, line) && authentication_holds(documents, line);
}

/// A document of which both readers understand the dates alike.
struct Document : fuzz::Document {
  explicit Document(std::string_view text) : fuzz::Document(text) {
    usable = is_object && !fuzz::is_rounded(ours->member("exp")) && !fuzz::is_rounded(ours->member("nbf")) &&
             !fuzz::is_rounded(ours->member("auth_time"));
    // Not of auth_time: only a requirement reads it, and the 0 of jansson is as much too long ago as what we refuse.
    has_unreadable_date = usable && (fuzz::underflows(ours->member("exp")) || fuzz::underflows(ours->member("nbf")));
  }

  bool usable = false;
  bool has_unreadable_date = false;
};

/// What a copy of the answer is judged to be.
oauth::Outcome decide_packed(const oauth::TokenInformation &information, const oauth::Requirements &requirements) {
  fuzz::Memory memory;
  std::string_view packed;
  oauth::TokenInformation copy;
  REQUIRE(jose::write_text(
      memory, [&](jose::Writer &writer) { oauth::pack(writer, information); }, packed));
  REQUIRE(oauth::unpack(packed, "a.b.c", memory, copy));
  return oauth::decide(copy, requirements, {}, now).outcome;
}

}  // namespace

// A line with the requirements, one with the members and one with the envelope (each empty: none), then the claims
// (empty: there is no JWT).
int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  fuzz::Input input(data, size);
  const RequirementsLine line(input.line());
  const Document members(input.line());
  const Document envelope(input.line());
  const Document claims(input.rest());
  const bool has_jwt = !input.rest().empty();
  if (has_jwt ? !claims.usable : !members.usable) {
    return 0;
  }
  oauth::TokenInformation information;
  information.members = members.usable ? members.ours : nullptr;
  information.checked_claims = oauth::gather_checked_claims(has_jwt ? claims.ours : nullptr, information.members,
                                                            envelope.usable ? envelope.ours : nullptr);
  REQUIRE(oauth::decide(information, line.requirements(), {}, now).outcome != oauth::Outcome::active);

  information.outcome = oauth::Outcome::active;
  const Documents documents = {members.usable ? members.theirs.get() : nullptr, has_jwt ? claims.theirs.get() : nullptr,
                               envelope.usable ? envelope.theirs.get() : nullptr};
  const oauth::Verdict verdict = oauth::decide(information, line.requirements(), {}, now);
  const bool is_readable = !claims.has_unreadable_date && !members.has_unreadable_date && !envelope.has_unreadable_date;
  REQUIRE((verdict.outcome == oauth::Outcome::active) == (is_readable && may_pass(documents, line)));
  REQUIRE(decide_packed(information, line.requirements()) == verdict.outcome);
  return 0;
}
