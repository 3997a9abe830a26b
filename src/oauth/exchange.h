#pragma once

#include <string_view>

#include "../jose/memory.h"
#include "../jose/strings.h"
#include "../jose/writer.h"
#include "response.h"
#include "token_information.h"

namespace oauth {

/// The parameters of a token exchange (RFC 8693 section 2.1) other than the client's token.
struct ExchangeParameters {
  jose::Strings audiences;
  jose::Strings resources;
  std::string_view scope;                 ///< left out where empty
  std::string_view requested_token_type;  ///< left out where empty
};

/// What stands before the token in the request's body. The token follows form-encoded.
constexpr std::string_view exchange_body_prefix =
    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=";

/// Puts what follows the token in the body.
void put_exchange_parameters(jose::Writer &writer, const ExchangeParameters &parameters) noexcept;

/// Reads the token endpoint's response (RFC 8693 section 2.2). Its access_token is the JWT; its other members count as
/// those of an introspection response do. `invalid_request` and `invalid_grant` mean that the token is inactive, and
/// `invalid_scope` that it lacks a scope; server_message then holds what the server says.
/// @param response its body is rewritten.
/// @param requested_token_type the type that was asked for.
TokenInformation read_exchange(Response &response, std::string_view requested_token_type,
                               jose::Memory &memory) noexcept;

}  // namespace oauth
