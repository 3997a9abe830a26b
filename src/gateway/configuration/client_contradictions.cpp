#include "client_contradictions.h"

#include <string_view>

#include "../../jose/strings.h"
#include "../../nginx/strings.h"
#include "../../oauth/client_authentication.h"
#include "policy.h"

namespace gateway {
namespace {

using oauth::ClientAuthentication;

/// With Basic, no id and no secret mean that the gateway has no credentials; the other words say that it has some.
const char *find_fault_without_id(const phantom_token_location_t &location) noexcept {
  if (location.client_secret.len != 0) {
    return "\"phantom_token_client_secret_file\" but no \"phantom_token_client_id\": add the id, or remove the file";
  }
  if (location.client_key != nullptr) {
    return "\"phantom_token_client_key\" but no \"phantom_token_client_id\": add the id, or remove the key";
  }
  return has_basic_authorization(client_authentication(location))
             ? nullptr
             : "a \"phantom_token_client_auth\" but no \"phantom_token_client_id\": add the id; without credentials, "
               "write \"phantom_token_client_auth basic;\"";
}

const char *find_fault_of_key(const phantom_token_location_t &location, ClientAuthentication method) noexcept {
  const bool signs_with_key = method == ClientAuthentication::private_key_jwt;
  if (location.client_key != nullptr && !signs_with_key) {
    return "\"phantom_token_client_key\", which only \"phantom_token_client_auth private_key_jwt\" uses: add that "
           "line, "
           "or remove the key";
  }
  if (location.client_key == nullptr && signs_with_key) {
    return "\"phantom_token_client_auth private_key_jwt\" but no \"phantom_token_client_key\": add it with the file of "
           "the private key";
  }
  return nullptr;
}

const char *find_fault_of_secret(const phantom_token_location_t &location, ClientAuthentication method) noexcept {
  if (location.client_secret.len != 0 && !oauth::uses_secret(method)) {
    return "\"phantom_token_client_secret_file\", which \"phantom_token_client_auth\" with \"private_key_jwt\" or "
           "\"none\" has no use for: remove the file; where an outer level has it, write "
           "\"phantom_token_client_secret_file \\\"\\\";\"";
  }
  if (location.client_secret.len == 0 && oauth::uses_secret(method)) {
    return "\"phantom_token_client_id\" but no \"phantom_token_client_secret_file\": add the file, or remove the id";
  }
  return nullptr;
}

const char *find_fault_of_assertion(const phantom_token_location_t &location, ClientAuthentication method) noexcept {
  if (!oauth::uses_assertion(method)) {
    return nullptr;
  }
  const std::string_view audience = client_assertion_audience(location);
  if (audience.empty()) {
    return "client assertions but not exactly one \"phantom_token_issuer\", which would be their audience: add "
           "\"phantom_token_client_assertion_audience\" with the authorization server's issuer";
  }
  if (!jose::is_utf8(audience) || !jose::is_utf8(to_view(location.client_id))) {
    return "client assertions whose client id or audience is no UTF-8, which a JWT cannot hold: correct "
           "\"phantom_token_client_id\" or \"phantom_token_client_assertion_audience\"";
  }
  return nullptr;
}

const char *find_fault_of_id(const phantom_token_location_t &location, ClientAuthentication method) noexcept {
  return method == ClientAuthentication::basic_raw && to_view(location.client_id).find(':') != std::string_view::npos
             ? "a \"phantom_token_client_id\" with a colon, which \"phantom_token_client_auth basic_raw\" cannot send: "
               "use \"basic\" or \"post\""
             : nullptr;
}

}  // namespace

const char *find_client_contradiction(const phantom_token_location_t &location) noexcept {
  if (location.client_id.len == 0) {
    return find_fault_without_id(location);
  }
  const ClientAuthentication method = client_authentication(location);
  for (const auto find_fault : {find_fault_of_secret, find_fault_of_key, find_fault_of_assertion, find_fault_of_id}) {
    if (const char *fault = find_fault(location, method)) {
      return fault;
    }
  }
  return nullptr;
}

}  // namespace gateway
