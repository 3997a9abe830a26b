#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "fuzz.h"
#include "oauth/introspection.h"
#include "oracle.h"

namespace fuzz {

/// An answer of the authorization server as text: a line with its status and, behind a space, what is wrong with it
/// (`cut`, `large`, `gzip`, `identity`, nothing); a line with its type; the body.
class Answer {
 public:
  explicit Answer(Input input) {
    const std::string_view head = input.line();
    std::from_chars(head.data(), head.data() + std::min<std::size_t>(head.size(), 3), response_.status);
    const std::string_view fault = head.substr(std::min(head.find(' '), head.size()));
    response_.answered = true;
    response_.complete = fault != " cut";
    response_.too_large = fault == " large";
    response_.content_encoding = fault == " gzip" ? "gzip" : fault == " identity" ? "Identity" : "";
    response_.content_type = input.line();
    body_ = input.rest();
  }

  /// @param copy of the body, which is rewritten.
  oauth::Response response(const Text &copy) const {
    oauth::Response response = response_;
    response.body = copy.data();
    response.body_size = copy.size();
    return response;
  }

  unsigned status() const { return response_.status; }
  std::string_view body() const { return body_; }

  /// The media type without parameters, which decides how the body is read.
  bool has_type(std::string_view type) const {
    std::string_view essence = response_.content_type.substr(0, response_.content_type.find(';'));
    while (!essence.empty() && (essence.back() == ' ' || essence.back() == '\t')) {
      essence.remove_suffix(1);
    }
    return same_word(essence, type);
  }

  bool is_readable() const {
    return response_.complete && !response_.too_large && response_.content_encoding != "gzip";
  }

 private:
  oauth::Response response_;
  std::string_view body_;
};

/// What an answer may come to, by the contract's table.
struct Verdict {
  bool active = false;
  bool open = false;  ///< see Json::open
  std::string jwt;    ///< what may be forwarded, where active
};

inline Verdict refused(bool open = false) {
  return {false, open, {}};
}

/// The verdict on a JWT that is to be forwarded; members as in the answer, or nullptr.
inline Verdict judge_jwt(std::string_view text, const json_t *members) {
  const Jws jws = read_jws(text);
  if (!jws.good) {
    return refused(jws.open);
  }
  const json_t *active = json_object_get(jws.claims.get(), "active");
  for (const json_t *document : {members, static_cast<const json_t *>(jws.claims.get())}) {
    const auto type = string_member(document, "token_type");
    if (type && same_word(*type, "refresh_token")) {
      return refused(jws.open);
    }
  }
  const bool is_envelope = has_typ(jws.header.get(), "token-introspection+jwt") ||
                           member(jws.claims.get(), "token_introspection") != nullptr;
  const bool passes = !is_envelope && (active == nullptr || json_is_true(active));
  return {passes, jws.open, std::string(jws.compact)};
}

/// What is forwarded is the verdict's JWT, byte for byte, and nothing that a header could not hold.
inline void require_same(const oauth::TokenInformation &result, const Verdict &verdict) {
  const bool active = result.outcome == oauth::Outcome::active;
  REQUIRE(active || (result.jwt.claims == nullptr && result.jwt.compact.empty()));
  if (!verdict.open) {
    REQUIRE(active == verdict.active);
  }
  if (active) {
    REQUIRE(result.jwt.compact.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") ==
            std::string_view::npos);
    REQUIRE(verdict.open || result.jwt.compact == verdict.jwt);
  }
}

}  // namespace fuzz
