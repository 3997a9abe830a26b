#pragma once

#include <string_view>

#include "../../oauth/confirmation.h"
#include "../configuration/module_configuration.h"
#include "../subrequest/request_state.h"

namespace gateway {

/// Looks whether the client's token is a JWT itself, where phantom_token_inbound_jwt makes a difference of that; then
/// sets state.client_jwt, else clears it.
/// @return false where there is no memory.
bool read_client_jwt(ngx_http_request_t *r, RequestState &state, const phantom_token_location_t &location,
                     std::string_view token) noexcept;

/// Holds the client's own JWT to the location's policy, its signature aside.
oauth::Verdict judge_client_jwt(const oauth::TokenInformation &client_jwt, const phantom_token_location_t &location,
                                const oauth::ProvenKeys &proven) noexcept;

}  // namespace gateway
