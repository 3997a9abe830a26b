#pragma once

#include <string_view>

#include "nginx.h"

namespace gateway {

/// Adds the $phantom_token_* variables, and $http_authorization as one that is read anew each time, since this module
/// rewrites the header.
/// @return NGX_OK or NGX_ERROR.
ngx_int_t add_variables(ngx_conf_t *cf) noexcept;

/// Notes which of the variables the configuration uses.
/// @return NGX_OK or NGX_ERROR.
ngx_int_t index_variables(ngx_conf_t *cf) noexcept;

/// @return what is declared under that name, prefixes aside, or nullptr; while the configuration is read.
const ngx_http_variable_t *find_variable(const ngx_conf_t *cf, std::string_view name) noexcept;

/// @return whether a subrequest of ours has the client's value of this variable: what server_name has captured, and
///   $request_id. After index_variables().
bool is_of_client(const ngx_conf_t *cf, std::string_view name) noexcept;

/// @return the index of a variable that the configuration reads; NGX_ERROR where it does not.
ngx_int_t find_variable_index(const ngx_conf_t *cf, std::string_view name) noexcept;

/// Whether $phantom_token_key could not be computed when somebody read it. nginx goes on with an empty string, which in
/// the key of a cache would be that of other requests.
bool has_lost_key(const ngx_http_request_t *r) noexcept;

/// Makes a subrequest's own array of values. They are cached by request: in the parent's, a $request_body that the
/// parent has read would be the cache key of another token. $request_id and captures of server_name are the client's.
/// @return nullptr where there is no memory.
ngx_http_variable_value_t *make_variables(const ngx_http_request_t *r) noexcept;

/// Drops all values of a subrequest's variables that can be evaluated anew: not what `set` has written, named captures
/// and what is the client's.
void forget_evaluated_variables(ngx_http_request_t *subrequest) noexcept;

/// Drops the values of $http_authorization that have been read so far.
void forget_authorization(ngx_http_request_t *r) noexcept;

/// Drops all values of this module's variables that have been read so far. Most readers ask anew for what cannot be
/// cached; the access log takes what is there, from an earlier phase or from a subrequest.
void forget_variables(ngx_http_request_t *r) noexcept;

}  // namespace gateway
