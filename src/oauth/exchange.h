#pragma once

#include <string_view>

#include "../jose/memory.h"
#include "../jose/strings.h"
#include "../jose/writer.h"
#include "response.h"
#include "token_information.h"

namespace oauth {

/// The parameters of a token exchange (RFC 8693 section 2.1) beside the client's token.
struct ExchangeParameters {
  jose::Strings audiences;
  jose::Strings resources;
  std::string_view scope;                 ///< left out where empty
  std::string_view requested_token_type;  ///< likewise
};

/// Everything before the token in the request's body; the token is form-encoded behind it.
constexpr std::string_view exchange_body_prefix =
    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=";

/// Puts what follows the token.
void put_exchange_parameters(jose::Writer &writer, const ExchangeParameters &parameters) noexcept;

/// Reads the token endpoint's response (RFC 8693 section 2.2): the JWT is its access_token, the other members count as
/// an introspection response's do. `invalid_request` and `invalid_grant` mean an inactive token, `invalid_scope` a
/// missing scope; result.server_message then says what the server said.
/// @param response its body is rewritten.
/// @param requested_token_type the type that was asked for.
TokenInformation read_exchange(Response &response, std::string_view requested_token_type,
                               jose::Memory &memory) noexcept;

}  // namespace oauth
