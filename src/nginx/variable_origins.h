#pragma once

#include <string_view>

#include "nginx.h"

namespace nginx {

/// Where the values of all indexed variables come from in a subrequest that has an array of values of its own: nginx's
/// subrequests share that of their parent.
struct VariableOrigins {
  ngx_str_t bytes = ngx_null_string;       ///< one for each index
  ngx_int_t request_id_index = NGX_ERROR;  ///< of $request_id; NGX_ERROR where nothing reads it
};

/// Finds the origins out, when all directives have been read.
/// @return false where there is no memory.
bool note_origins(ngx_conf_t *cf, ngx_int_t request_id_index, VariableOrigins &origins) noexcept;

/// @return whether such a subrequest has the client's value of this variable: what server_name has captured, and
///   $request_id.
bool is_of_client(const ngx_conf_t *cf, const VariableOrigins &origins, std::string_view name) noexcept;

/// Makes a subrequest's own array of values. They are cached by request: in the parent's, a $request_body that the
/// parent has read would be the cache key of another token. $request_id and captures of server_name are the client's.
/// @return nullptr where there is no memory.
ngx_http_variable_value_t *make_variables(const ngx_http_request_t *r, const VariableOrigins &origins) noexcept;

/// Makes another array of values for the request, without those that can be evaluated anew. $request_id, which has one
/// value for each array, is the same in both.
/// @return nullptr where there is no memory.
ngx_http_variable_value_t *make_fresh_variables(ngx_http_request_t *r, const VariableOrigins &origins) noexcept;

/// Drops all values of a subrequest's variables that can be evaluated anew: not what `set` has written, named captures
/// and what is the client's.
void forget_evaluated_variables(ngx_http_request_t *subrequest, const VariableOrigins &origins) noexcept;

}  // namespace nginx
