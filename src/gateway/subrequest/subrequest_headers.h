#pragma once

#include <string_view>

#include "../configuration/module_configuration.h"

namespace gateway {

/// The headers of a subrequest of ours. Until it has come to its location it has the client's: what a server or a
/// location says in its rewrite phase (`if`, `set`, `return`) sees what it saw in the client's request. Whatever
/// answers there sees the gateway's.
struct SubrequestHeaders {
  ngx_http_headers_in_t parents;  ///< as they were when the subrequest began; their list is the parent's
  ngx_http_headers_in_t clients;  ///< a copy of them, with Authorization as the client sent it
  ngx_http_headers_in_t own;
  ngx_str_t authorization;  ///< as the client sent it
};

/// What the subrequest says in its own headers.
struct OwnHeaders {
  std::string_view accept;
  std::string_view authorization;  ///< left out where empty
  std::string_view body;           ///< described where not empty
};

/// Makes all that lend_clients_headers() and take_own_headers() need, in the request's pool.
/// @return nullptr where there is no memory.
SubrequestHeaders *make_subrequest_headers(const ngx_http_request_t *r, const OwnHeaders &own) noexcept;

/// Gives a new subrequest the client's headers, but no body: client_max_body_size is for what clients send.
void lend_clients_headers(ngx_http_request_t *subrequest, const SubrequestHeaders &headers) noexcept;

/// Gives a subrequest its own headers, and those that modules of its location (lua, headers-more) have set in its
/// rewrite phase.
/// @return false where there is no memory.
bool take_own_headers(ngx_http_request_t *subrequest, const SubrequestHeaders &headers) noexcept;

/// Gives the parent its headers back: headers-more, when it adds a header that nginx knows to a subrequest's, puts all
/// of them in the place of the parent's (ngx_http_set_header_helper).
void restore_parents_headers(ngx_http_request_t *parent, const SubrequestHeaders &headers) noexcept;

}  // namespace gateway
