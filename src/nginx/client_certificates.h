#pragma once

#include "nginx.h"

namespace nginx {

/// @return whether the server asks its clients for certificates: `ssl_verify_client` is not `off`.
bool asks_for_certificates(const ngx_conf_t *cf, const ngx_http_core_srv_conf_t &server) noexcept;

/// The certificate that the client has shown in its connection: $ssl_client_raw_cert.
/// @param certificate set where the result is true: PEM; empty where there is none.
/// @return false where there is no memory.
bool find_client_certificate(ngx_http_request_t *r, ngx_str_t &certificate) noexcept;

}  // namespace nginx
