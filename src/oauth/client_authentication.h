#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/writer.h"

namespace oauth {

/// How the gateway authenticates at the authorization server (RFC 6749 section 2.3.1, RFC 7523 section 2.2).
enum class ClientAuthentication : std::uint8_t {
  basic,              ///< both parts form-encoded, then base64
  basic_raw,          ///< both parts as they are, then base64, for servers that do not decode the form
  post,               ///< client_id and client_secret in the body
  client_secret_jwt,  ///< an assertion, signed with the secret
  private_key_jwt,    ///< an assertion, signed with a private key
  none,               ///< client_id in the body: by mutual TLS (RFC 8705 section 2), or a public client
};

/// Whether the credentials go into the header Authorization, and not into the body.
constexpr bool has_basic_authorization(ClientAuthentication method) noexcept {
  return method == ClientAuthentication::basic || method == ClientAuthentication::basic_raw;
}

constexpr bool uses_assertion(ClientAuthentication method) noexcept {
  return method == ClientAuthentication::client_secret_jwt || method == ClientAuthentication::private_key_jwt;
}

/// Whether the client's secret goes to the authorization server, or signs.
constexpr bool uses_secret(ClientAuthentication method) noexcept {
  return method != ClientAuthentication::private_key_jwt && method != ClientAuthentication::none;
}

struct ClientCredentials {
  std::string_view id;  ///< empty: the gateway has no credentials of its own
  std::string_view secret;
  ClientAuthentication method = ClientAuthentication::basic;
};

/// @return the word by which the configuration names the method.
std::string_view name(ClientAuthentication method) noexcept;

/// Writes the value of the Authorization header.
/// @param value set to it; empty where the method does not use the header, or there are no credentials.
/// @return false where there is no memory.
bool write_basic_authorization(const ClientCredentials &credentials, jose::Memory &memory,
                               std::string_view &value) noexcept;

/// Puts what goes into the body: nothing for Basic; `&client_id=...`, and the secret behind it for `post`. For an
/// assertion `&client_id=...&client_assertion_type=...&client_assertion=`: the assertion itself comes behind it.
void put_client_parameters(jose::Writer &writer, const ClientCredentials &credentials) noexcept;

}  // namespace oauth
