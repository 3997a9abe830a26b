#pragma once

#include <cstdint>

#include "../configuration/module_configuration.h"

namespace gateway {

/// How far a request to the authorization server came: whose word the status is that its subrequest ended with.
enum class Contact : std::uint8_t {
  server,            ///< the authorization server's
  cache,             ///< the server's, from an earlier one, out of proxy_cache
  nginx,             ///< nginx's, before it asked anybody or because of a fault of its own
  unresolved,        ///< nginx's, as all below: the server's name has no address
  unconnected,       ///< there was no connection
  tls_unconnected,   ///< there was no connection by TLS
  connect_timeout,   ///< there was none in time
  response_timeout,  ///< there was no response, or no header, in time
  late,              ///< the header came, the body did not in time
  overdue,           ///< phantom_token_response_timeout passed first
  closed,            ///< the connection was closed or reset before a response came
  kept_closed,       ///< the same, where the connection had been kept open since an earlier request
  unreadable,        ///< a header came, and was not understood or not whole
};

/// @return the contact of a subrequest whose response has come to the header filter.
Contact contact_of_response(const ngx_http_request_t &subrequest) noexcept;

/// @return the contact of a subrequest that ended with this status and without a response.
Contact contact_of_failure(const ngx_http_request_t &subrequest, unsigned status) noexcept;

/// @return what happened and what to do about it, a constant for the log line; nullptr where the server has spoken.
const char *explain(Contact contact) noexcept;

/// @return where the redirect leads that a subrequest ended with; empty where it ended with another status.
ngx_str_t redirect_target(const ngx_http_request_t &subrequest, unsigned status) noexcept;

}  // namespace gateway
