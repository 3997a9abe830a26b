// The decision over claims, members and envelope: allowed exactly where jansson's reading of the same texts satisfies
// the requirements.

#include "oauth/decision.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string>

#include "document.h"
#include "fuzz.h"
#include "oauth/token_information_codec.h"
#include "oracle.h"

namespace {

constexpr std::int64_t now = 1700000000;

/// The requirements as a line: scopes, `all` or `any`, issuers, audiences, leeway, what becomes of bound tokens (a word
/// of phantom_token_confirmation), values of acr, age, and what the client has shown: the thumbprint of its proof's
/// key,
/// `-` where the scheme is not DPoP, and that of its certificate; with `;` between them.
struct RequirementsLine {
  explicit RequirementsLine(std::string_view line) {
    std::string_view fields[10];
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
    confirmation = fields[5] == "pass"      ? oauth::Confirmation::pass
                   : fields[5] == "verify"  ? oauth::Confirmation::verify
                   : fields[5] == "require" ? oauth::Confirmation::require
                                            : oauth::Confirmation::refuse;
    by_dpop = !fields[8].empty() && fields[8] != "-";
    jwk = by_dpop ? fields[8] : std::string_view();
    certificate = fields[9];
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
            confirmation};
  }

  oauth::ProvenKeys proven() const { return {by_dpop, jwk, certificate}; }

  std::vector<std::string_view> scopes, issuers, audiences, acr_values;
  bool any = false;
  std::int64_t leeway = 0;
  std::int64_t max_auth_age = oauth::Requirements::any_age;
  oauth::Confirmation confirmation = oauth::Confirmation::refuse;
  bool by_dpop = false;
  std::string_view jwk, certificate;
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

bool has_dpop_type(const json_t *document) {
  const auto type = fuzz::string_member(document, "token_type");
  return type && fuzz::same_word(*type, "dpop");
}

bool is_bound(const json_t *document) {
  return fuzz::member(document, "cnf") != nullptr || has_dpop_type(document);
}

/// Whether a `cnf` is one of the two methods, or both, and nothing else but Keycloak's remark about a `jkt`.
bool is_known_confirmation(const json_t *cnf) {
  std::set<std::string> names;
  const char *name = nullptr;
  json_t *value = nullptr;
  json_object_foreach(const_cast<json_t *>(cnf), name, value) {
    if (!json_is_null(value)) {
      names.insert(json_is_string(value) ? name : "no string");
    }
  }
  const bool is_of_dpop = names.count("jkt") != 0;
  if (is_of_dpop && fuzz::string_member(cnf, "kc-jkt-type") == std::string_view("DPoP")) {
    names.erase("kc-jkt-type");
  }
  names.erase("jkt");
  const bool is_of_certificate = names.erase("x5t#S256") != 0;
  return names.empty() && (is_of_dpop || is_of_certificate);
}

/// What the contract makes of `cnf`, in both documents, and of what the client has shown.
oauth::Outcome judge_confirmation(const Documents &documents, const RequirementsLine &line) {
  using oauth::Outcome;
  const bool bound = is_bound(documents.members) || is_bound(documents.claims);
  const bool checks =
      line.confirmation == oauth::Confirmation::verify || line.confirmation == oauth::Confirmation::require;
  if (!checks) {
    return bound && line.confirmation == oauth::Confirmation::refuse ? Outcome::bound : Outcome::active;
  }
  if (!bound) {
    return line.by_dpop || line.confirmation == oauth::Confirmation::require ? Outcome::bound : Outcome::active;
  }
  bool needs_key = false;
  bool has_key = true;
  bool has_certificate = true;
  for (const json_t *document : {documents.members, documents.claims}) {
    const json_t *cnf = fuzz::member(document, "cnf");
    if (cnf != nullptr && (!json_is_object(cnf) || !is_known_confirmation(cnf))) {
      return Outcome::bound;
    }
    const auto jkt = fuzz::string_member(cnf, "jkt");
    const auto x5t = fuzz::string_member(cnf, "x5t#S256");
    needs_key = needs_key || jkt;
    has_key = has_key && (!jkt || *jkt == line.jwk);
    has_certificate = has_certificate && (!x5t || (!line.certificate.empty() && *x5t == line.certificate));
  }
  const bool has_type = has_dpop_type(documents.members) || has_dpop_type(documents.claims);
  if (needs_key != line.by_dpop || (has_type && !needs_key)) {
    return Outcome::bound;
  }
  return !has_key ? Outcome::dpop_proof : has_certificate ? Outcome::active : Outcome::certificate;
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

bool token_holds(const Documents &documents, const RequirementsLine &line) {
  const auto leeway = static_cast<double>(line.leeway);
  return times_hold(documents.members, leeway) && times_hold(documents.claims, leeway) &&
         times_hold(documents.envelope, leeway) && issuer_and_audience_hold(documents, line);
}

bool grant_holds(const Documents &documents, const RequirementsLine &line) {
  return scopes_hold(documents, line) && authentication_holds(documents, line);
}

bool is_of_confirmation(oauth::Outcome outcome) {
  return outcome == oauth::Outcome::bound || outcome == oauth::Outcome::dpop_proof ||
         outcome == oauth::Outcome::certificate;
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
oauth::Outcome decide_packed(const oauth::TokenInformation &information, const RequirementsLine &line) {
  fuzz::Memory memory;
  std::string_view packed;
  oauth::TokenInformation copy;
  REQUIRE(jose::write_text(
      memory, [&](jose::Writer &writer) { oauth::pack(writer, information); }, packed));
  REQUIRE(oauth::unpack(packed, "a.b.c", memory, copy));
  return oauth::decide(copy, line.requirements(), line.proven(), now).outcome;
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
  REQUIRE(oauth::decide(information, line.requirements(), line.proven(), now).outcome != oauth::Outcome::active);

  information.outcome = oauth::Outcome::active;
  const Documents documents = {members.usable ? members.theirs.get() : nullptr, has_jwt ? claims.theirs.get() : nullptr,
                               envelope.usable ? envelope.theirs.get() : nullptr};
  const oauth::Verdict verdict = oauth::decide(information, line.requirements(), line.proven(), now);
  const bool is_readable = !claims.has_unreadable_date && !members.has_unreadable_date && !envelope.has_unreadable_date;
  const bool is_token = is_readable && token_holds(documents, line);
  const oauth::Outcome confirmed = judge_confirmation(documents, line);
  REQUIRE(is_of_confirmation(verdict.outcome) == (is_token && confirmed != oauth::Outcome::active));
  REQUIRE(!is_of_confirmation(verdict.outcome) || verdict.outcome == confirmed);
  REQUIRE((verdict.outcome == oauth::Outcome::active) ==
          (is_token && confirmed == oauth::Outcome::active && grant_holds(documents, line)));
  REQUIRE(decide_packed(information, line) == verdict.outcome);
  return 0;
}
