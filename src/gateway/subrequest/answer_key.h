#pragma once

#include <string_view>

#include "../../nginx/strings.h"
#include "../configuration/module_configuration.h"
#include "../configuration/policy.h"

namespace gateway {

/// What an answer of the authorization server is kept and shared by: all parts of $phantom_token_key, and what else the
/// answer and its reading depend on. Two requests with equal keys may share an answer; equal hashes are never enough.
struct AnswerKey {
  std::string_view fingerprint;  ///< TokenRequestTemplate::fingerprint
  std::string_view endpoint;     ///< evaluated
  std::string_view token;        ///< the client's; empty for a JWK Set
  ngx_uint_t hash = 0;           ///< of the others
};

/// @param endpoint evaluated; it and the token must live as long as the result.
inline AnswerKey make_answer_key(const TokenRequestTemplate &location, std::string_view endpoint,
                                 std::string_view token) noexcept {
  const ngx_str_t bytes = to_ngx_str(token);
  const ngx_uint_t token_hash = ngx_murmur_hash2(bytes.data, bytes.len);
  return {location.fingerprint, endpoint, token, ngx_uint_t{location.fingerprint_hash} ^ token_hash};
}

inline bool operator==(const AnswerKey &one, const AnswerKey &other) noexcept {
  return one.hash == other.hash && one.token == other.token && one.endpoint == other.endpoint &&
         one.fingerprint == other.fingerprint;
}

}  // namespace gateway
