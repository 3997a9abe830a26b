#pragma once

#include "../../oauth/bearer.h"
#include "../../oauth/dpop_proof.h"
#include "../../oauth/outcome.h"
#include "../../oauth/token_information.h"
#include "../configuration/module_configuration.h"
#include "as_request.h"

namespace gateway {

struct ReceivedRevocation;

/// A client's request that waits for an answer of the authorization server: see wait().
struct Waiting {
  AsRequest *awaited = nullptr;                            ///< nullptr: it does not wait
  const phantom_token_location_t *location = nullptr;      ///< whose policy it is for
  ngx_http_handler_pt handler = nullptr;                   ///< that of the phase, which is to be called again
  ngx_http_event_handler_pt read_event_handler = nullptr;  ///< what it was before
  bool client_stirred = false;                             ///< a read event came, which has not been looked into
  bool asks_alone = false;                                 ///< shared answers are not for this request
  ngx_msec_t spent_on_others = 0;                          ///< milliseconds, for answers that did not come
};

/// Where phantom_token_source has found the client's token.
struct TakenToken {
  const ngx_array_t *sources = nullptr;  ///< of the location whose list has been gone through; nullptr: none yet
  std::string_view value;                ///< of Authorization, or of a variable; empty where there is none
  bool is_bare = false;                  ///< without a scheme before it
  bool accepts_dpop = false;             ///< that location accepts the scheme DPoP in Authorization
};

/// A list of zones.
struct RecordedUse {
  const ngx_shm_zone_t *zone = nullptr;
  RecordedUse *next = nullptr;
};

/// The proof of possession of the client's request, which counts for its redirects and subrequests too: in the state of
/// the main request.
struct ClientProof {
  ngx_uint_t count = 0;     ///< of the headers DPoP
  std::string_view text;    ///< of the first
  std::string_view method;  ///< of the client's request: a redirect may change it
  time_t received = 0;      ///< seconds since the epoch
  bool is_read = false;     ///< `read` says what reading it has come to; active: `proof` is set
  oauth::Verdict read;
  bool is_verified = false;  ///< its signature is good
  oauth::DpopProof proof;
  RecordedUse *recorded = nullptr;  ///< the zones that its use has been recorded in
};

/// How the signature of this request's JWT is verified: see signature_check.h.
struct KeySetFetch {
  AsRequest *request = nullptr;  ///< the last one for the JWK Set
  std::size_t count = 0;         ///< of such requests since the access check began anew
  bool has_refreshed = false;    ///< for a key that was not in the set
};

/// What the gateway knows of one request object, client's or subrequest. Kept in a pool cleanup, since nginx clears the
/// modules' contexts at every internal redirect.
struct RequestState {
  const ngx_http_request_t *request = nullptr;

  ngx_str_t authorization = ngx_null_string;  ///< as the client sent it, whatever the header says now

  TakenToken taken;
  std::string_view token;                        ///< the client's, while it is judged; well-formed
  oauth::Scheme scheme = oauth::Scheme::bearer;  ///< that it came with
  ClientProof *proof = nullptr;  ///< in the state of the main request only; nullptr: none has been looked for
  std::string_view proven_key;   ///< the thumbprint of the key of a good proof; empty where there is none
  std::string_view next_nonce;   ///< for the header DPoP-Nonce; in the state of the main request only

  AsRequest *answer = nullptr;              ///< the last request about the token, perhaps another's
  InterpretedAnswer *client_jwt = nullptr;  ///< the client's own JWT, where that is judged and not an answer
  std::string_view forwarded_jwt;           ///< what Authorization holds now, where the request is allowed
  const char *endpoint_directive = "";      ///< the one that has been read last, for the log
  KeySetFetch key_set;
  Waiting waiting;
  ReceivedRevocation *received = nullptr;  ///< what phantom_token_revoke takes: see revoke.cpp

  bool is_judged = false;  ///< outcome is set
  oauth::Outcome outcome = oauth::Outcome::internal_error;
  const phantom_token_location_t *allowed_by = nullptr;  ///< the location whose policy the request has passed last

  ngx_table_elt_t *challenges[2] = {};     ///< the WWW-Authenticate headers that have been added
  ngx_table_elt_t *retry_after = nullptr;  ///< the Retry-After header, likewise
};

/// @return what is known of the client's token, once it is known.
inline InterpretedAnswer &interpreted_of(const RequestState &state) noexcept {
  return state.client_jwt != nullptr ? *state.client_jwt : state.answer->interpreted;
}

inline void note_judgement(RequestState &state, oauth::Outcome outcome) noexcept {
  state.is_judged = true;
  state.outcome = outcome;
}

/// @return the state of this very request, or nullptr.
RequestState *find_state(const ngx_http_request_t *r) noexcept;

/// @return the state of the nearest of this request and its parents that has one, or nullptr.
RequestState *find_state_above(const ngx_http_request_t *r) noexcept;

/// @return the state of this very request, a new one where there was none, with the client's Authorization as it was
///   before any rewriting; nullptr where there is no memory.
RequestState *get_state(ngx_http_request_t *r) noexcept;

}  // namespace gateway
