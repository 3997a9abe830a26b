#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/writer.h"

namespace oauth {

/// How the gateway authenticates at the authorization server (RFC 6749 section 2.3.1).
enum class ClientAuthentication : std::uint8_t {
  basic,      ///< both parts form-encoded, then base64
  basic_raw,  ///< as they are, for servers that do not decode them
  post,       ///< client_id and client_secret in the body
};

struct ClientCredentials {
  std::string_view id;  ///< empty: the gateway has no credentials of its own
  std::string_view secret;
  ClientAuthentication method = ClientAuthentication::basic;
};

/// @return the word of the method as phantom_token_client_auth has it.
std::string_view name(ClientAuthentication method) noexcept;

/// @param value set to the value of the Authorization header; empty where there are no credentials, or where their
/// method
///   does not use the header.
/// @return false where there is no memory.
bool write_basic_authorization(const ClientCredentials &credentials, jose::Memory &memory,
                               std::string_view &value) noexcept;

/// Puts `&client_id=...&client_secret=...` where the credentials go into the body.
void put_client_parameters(jose::Writer &writer, const ClientCredentials &credentials) noexcept;

}  // namespace oauth
