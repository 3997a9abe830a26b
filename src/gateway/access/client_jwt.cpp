#include "client_jwt.h"

#include "../../jose/signature.h"
#include "../../nginx/pool.h"
#include "../../oauth/access_token.h"
#include "../../oauth/decision.h"
#include "../configuration/module_configuration.h"
#include "../configuration/pool_memory.h"

namespace gateway {

using oauth::Outcome;

bool read_client_jwt(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     std::string_view token) noexcept {
  state.client_jwt = nullptr;
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_INTROSPECT) {
    return true;
  }
  PoolMemory memory(r->pool);
  auto *client_jwt = memory.make<InterpretedAnswer>();
  if (client_jwt == nullptr) {
    return false;
  }
  oauth::TokenInformation &information = client_jwt->information;
  const char *problem = nullptr;
  if (jose::parse_jwt(token, memory, information.jwt, problem)) {
    client_jwt->source = AnswerSource::client_jwt;
    information.outcome = Outcome::active;
    information.checked_claims = oauth::gather_checked_claims(information.jwt.claims, nullptr, nullptr);
    state.client_jwt = client_jwt;
  }
  return !memory.ran_out();
}

oauth::Verdict judge_client_jwt(const oauth::TokenInformation &client_jwt, const phantom_token_location_t &location,
                                const oauth::ProvenKeys &proven) noexcept {
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_REJECT) {
    return {Outcome::rejected_jwt, "JWTs are not accepted from clients"};
  }
  if (location.inbound_jwt == PHANTOM_TOKEN_INBOUND_VERIFY && !oauth::is_access_token_type(client_jwt.jwt)) {
    return {Outcome::signature_of_client, "the typ of the client's JWT is not that of an access token"};
  }
  const oauth::Verdict verdict = oauth::decide(client_jwt, location.policy->requirements, proven, ngx_time());
  // What would be the authorization server's mistake is here the client's.
  return verdict.outcome == Outcome::as_bad_response ? oauth::Verdict{Outcome::malformed, verdict.problem} : verdict;
}

}  // namespace gateway
