#include "proof_check.h"

#include "../../jose/certificate.h"
#include "../../nginx/client_certificates.h"
#include "../../nginx/complex_value.h"
#include "../../nginx/header_list.h"
#include "../../nginx/pool.h"
#include "../../nginx/request_target.h"
#include "../../nginx/response.h"
#include "../../nginx/strings.h"
#include "../cache/replays.h"
#include "../configuration/policy.h"
#include "../configuration/pool_memory.h"
#include "../subrequest/client_token.h"
#include "authorization.h"

namespace gateway {
namespace {

using oauth::Outcome;

constexpr std::string_view dpop_header = "DPoP";
constexpr std::string_view nonce_header = "DPoP-Nonce";

/// @return the method in the request line: an error page changes that of the request.
std::string_view method_of(const ngx_http_request_t *r) noexcept {
  const std::string_view line = to_view(r->request_line);
  const std::size_t space = line.find(' ');
  return space == std::string_view::npos ? to_view(r->method_name) : line.substr(0, space);
}

/// Looks at the client's header once: it is taken out of the request when that is allowed.
/// @return nullptr where there is no memory.
ClientProof *find_proof(ngx_http_request_t *r) noexcept {
  RequestState *main = get_state(r->main);
  if (main == nullptr || main->proof != nullptr) {
    return main == nullptr ? nullptr : main->proof;
  }
  main->proof = make<ClientProof>(r->pool);
  if (main->proof == nullptr) {
    return nullptr;
  }
  ClientProof &proof = *main->proof;
  for (const ngx_table_elt_t &header : HeaderList(r->main->headers_in.headers)) {
    if (equal_ignoring_case(to_view(header.key), dpop_header) && proof.count++ == 0) {
      proof.text = to_view(header.value);
    }
  }
  proof.method = method_of(r->main);
  proof.received = ngx_time();
  return &proof;
}

/// @return false where there is no memory.
bool read_proof(ngx_pool_t *pool, ClientProof &client) noexcept {
  if (!client.is_read) {
    PoolMemory memory(pool);
    client.read = oauth::read_dpop_proof(client.text, memory, client.proof);
    client.is_read = !memory.ran_out();
  }
  return client.is_read;
}

bool find_request_uri(ngx_http_request_t *r, const phantom_token_location_t &location, ngx_str_t &uri) noexcept {
  return location.dpop_uri == nullptr ? make_target_uri(r->main, uri) : evaluate(r->main, *location.dpop_uri, uri);
}

/// For the header DPoP-Nonce of the response.
/// @return false where there is no memory, or OpenSSL fails.
bool prepare_nonce(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  RequestState *main = get_state(r->main);
  auto *nonce = static_cast<char *>(ngx_pnalloc(r->pool, oauth::dpop_nonce_size));
  if (main == nullptr || nonce == nullptr ||
      !oauth::make_dpop_nonce(location.policy->dpop.nonces.secret, ngx_time(), nonce)) {
    return false;
  }
  main->next_nonce = {nonce, oauth::dpop_nonce_size};
  return true;
}

oauth::Verdict verify(ClientProof &client, jose::Memory &memory) noexcept {
  if (client.is_verified) {
    return {Outcome::active};
  }
  const oauth::Verdict verdict = oauth::verify_dpop_proof(client.proof, memory);
  client.is_verified = verdict.outcome == Outcome::active;
  return verdict;
}

/// @return nullptr, or what is wrong with the number of headers.
const char *find_wrong_count(const ClientProof &client) noexcept {
  if (client.count == 1) {
    return nullptr;
  }
  return client.count == 0 ? "the request has no header DPoP" : "the request has several headers DPoP";
}

AccessStep check_for_request(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location,
                             ClientProof &client) noexcept {
  ngx_str_t uri;
  if (!find_request_uri(r, location, uri)) {
    return no_memory();
  }
  PoolMemory memory(r->pool);
  const oauth::ProvenRequest request = {client.method, to_view(uri), state.token, client.received};
  const oauth::Verdict checked = oauth::check_dpop_proof(client.proof, location.policy->dpop, request, memory);
  if (memory.ran_out()) {
    return no_memory();
  }
  const bool is_due = client.proof.is_nonce_due && !location.policy->dpop.nonces.secret.empty();
  const bool wants_nonce = checked.outcome == Outcome::dpop_nonce || (checked.outcome == Outcome::active && is_due);
  if (wants_nonce && !prepare_nonce(r, location)) {
    return {{Outcome::internal_error, "no nonce can be made: no memory, or OpenSSL failed"}};
  }
  return {checked.outcome == Outcome::active ? verify(client, memory) : checked};
}

/// @return false where there is no memory, or OpenSSL fails.
bool find_certificate(ngx_http_request_t *r, const phantom_token_location_t &location,
                      std::string_view &thumbprint) noexcept {
  ngx_str_t text;
  auto *written = static_cast<char *>(ngx_pnalloc(r->pool, jose::thumbprint_size));
  if (written == nullptr ||
      !(location.client_certificate == nullptr ? find_client_certificate(r->main, text)
                                               : evaluate(r->main, *location.client_certificate, text))) {
    return false;
  }
  PoolMemory memory(r->pool);
  const jose::CertificateThumbprint made = jose::make_certificate_thumbprint(to_view(text), memory, written);
  thumbprint =
      made == jose::CertificateThumbprint::made ? std::string_view(written, jose::thumbprint_size) : std::string_view();
  return made != jose::CertificateThumbprint::failed;
}

bool is_recorded(const ClientProof &client, const ngx_shm_zone_t *zone) noexcept {
  const RecordedUse *recorded = client.recorded;
  while (recorded != nullptr && recorded->zone != zone) {
    recorded = recorded->next;
  }
  return recorded != nullptr;
}

AccessStep refuse_replay(const ngx_shm_zone_t &zone, Use use) noexcept {
  switch (use) {
    case Use::again:
      return {{Outcome::dpop_replay, "the proof has been used before"}};
    case Use::forgotten:
      return {{Outcome::dpop_replay, "the proof is so old that it may have been used before"}};
    case Use::full:
      return {{Outcome::dpop_replay_full, replays_of(zone).full}};
    case Use::closed:
      return {{Outcome::dpop_replay_full, "a reload is giving the zone of \"phantom_token_dpop_replay\" another size"}};
    default:
      return {{Outcome::internal_error, "the use of the proof cannot be recorded: OpenSSL failed"}};
  }
}

}  // namespace

AccessStep check_proof(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location) noexcept {
  state.proven_key = {};
  ClientProof *client = find_proof(r);
  if (client == nullptr) {
    return no_memory();
  }
  if (const char *problem = find_wrong_count(*client)) {
    return {{Outcome::dpop_proof, problem}};
  }
  if (!read_proof(r->pool, *client)) {
    return no_memory();
  }
  if (client->read.outcome != Outcome::active) {
    return {client->read};
  }
  const AccessStep step = check_for_request(r, state, location, *client);
  if (step.goes_on()) {
    state.proven_key = {client->proof.thumbprint, jose::thumbprint_size};
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: the proof is good for this request");
  }
  return step;
}

bool find_proven_keys(ngx_http_request_t *r, const RequestState &state, const phantom_token_location_t &location,
                      const oauth::CheckedClaims &claims, oauth::ProvenKeys &proven) noexcept {
  proven = {state.scheme == oauth::Scheme::dpop, state.proven_key};
  const bool is_bound_to_certificate = claims.certificate != nullptr || claims.certificate_of_response != nullptr;
  return !is_bound_to_certificate || !accepts_dpop(location) || find_certificate(r, location, proven.certificate);
}

AccessStep check_replay(ngx_http_request_t *r, const RequestState &state,
                        const phantom_token_location_t &location) noexcept {
  if (state.scheme != oauth::Scheme::dpop || state.proven_key.empty() || location.dpop_replay == nullptr) {
    return go_on();
  }
  ClientProof *client = find_proof(r);
  auto *recorded = make<RecordedUse>(r->pool);
  if (client == nullptr || recorded == nullptr) {
    return no_memory();
  }
  if (is_recorded(*client, location.dpop_replay)) {
    return go_on();
  }
  const Use use =
      record_use(*location.dpop_replay, {state.proven_key, client->proof.jti, client->proof.iat, client->received});
  if (use != Use::first) {
    return refuse_replay(*location.dpop_replay, use);
  }
  *recorded = {location.dpop_replay, client->recorded};
  client->recorded = recorded;
  return go_on();
}

bool add_next_nonce(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  if (r != r->main) {
    return true;
  }
  if (location.dpop_nonce != nullptr && accepts_dpop(location)) {
    hide_headers(r, nonce_header);  // the API gets no proof: a nonce that it gives would be refused here
  }
  const RequestState *state = find_state(r);
  return state == nullptr || state->next_nonce.empty() || push_header(r, nonce_header, state->next_nonce) != nullptr;
}

bool remove_proof(ngx_http_request_t *r, const phantom_token_location_t &location) noexcept {
  // A redirect may lead to where it is asked for.
  return !accepts_dpop(location) || find_header(r->headers_in.headers, dpop_header) == nullptr ||
         (find_proof(r) != nullptr && remove_headers(r, dpop_header));
}

}  // namespace gateway
