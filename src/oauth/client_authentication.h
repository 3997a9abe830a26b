#pragma once

#include <cstdint>
#include <string_view>

#include "../jose/memory.h"
#include "../jose/writer.h"

namespace oauth {

/// How the gateway authenticates at the authorization server (RFC 6749 section 2.3.1).
enum class ClientAuthentication : std::uint8_t {
  basic,      ///< both parts form-encoded, then base64
  basic_raw,  ///< both parts as they are, then base64, for servers that do not decode the form
  post,       ///< client_id and client_secret in the body
};

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

/// Puts `&client_id=...&client_secret=...` where the method is `post`; nothing otherwise.
void put_client_parameters(jose::Writer &writer, const ClientCredentials &credentials) noexcept;

}  // namespace oauth
