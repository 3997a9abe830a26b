#include "variable_origins.h"

#include "core_configuration.h"
#include "strings.h"
#include "variable_lookup.h"

namespace nginx {
namespace {

/// Where the value of a variable comes from, as a subrequest of ours has it.
enum Origin : u_char {
  evaluated,      ///< by its handler, as often as is needed
  of_subrequest,  ///< written while its rewrite phases run
  of_client       ///< the client's request
};

/// The get_handler of variables that are named captures (ngx_http_regex_compile); it is static in nginx, so a regex of
/// our own shows it.
/// @return false where that fails.
bool find_capture_handler([[maybe_unused]] ngx_conf_t *cf, ngx_http_get_variable_pt &handler) noexcept {
  handler = nullptr;
#if (NGX_PCRE)
  u_char error[NGX_MAX_CONF_ERRSTR];
  ngx_regex_compile_t regex = {};
  regex.pattern = to_ngx_str("(?<phantom_token_capture>x)");
  regex.err = {sizeof(error), error};
  if (ngx_http_regex_compile(cf, &regex) == nullptr) {
    return false;
  }
  const ngx_http_variable_t *variable = find_variable(cf, "phantom_token_capture");
  handler = variable == nullptr ? nullptr : variable->get_handler;
#endif
  return true;
}

/// Whether the values of this variable are written into a request's array, so that no handler can give them again.
/// `set` (ngx_http_rewrite_set; NDK's ndk_set_var_*, by which lua's set_by_lua works, does as it does) writes there
/// unless the variable has a set_handler; its get_handler is for what has not been set, and its data is the variable's
/// own index. auth_request_set writes in the access phase, where no subrequest comes. What is a map or a header too is
/// evaluated anew.
bool is_written(const ngx_http_variable_t &variable, ngx_uint_t index,
                ngx_http_get_variable_pt capture_handler) noexcept {
  if ((variable.flags & NGX_HTTP_VAR_CHANGEABLE) == 0 || (variable.flags & NGX_HTTP_VAR_NOCACHEABLE) != 0 ||
      variable.set_handler != nullptr || variable.get_handler == nullptr) {
    return false;
  }
  return variable.data == index || variable.get_handler == capture_handler;
}

/// What a regex in server_name has captured (ngx_http_set_virtual_server) is there before any phase, and is never run
/// for a subrequest.
void note_server_name_captures([[maybe_unused]] const ngx_http_core_main_conf_t &cmcf,
                               [[maybe_unused]] const VariableOrigins &origins) noexcept {
#if (NGX_PCRE)
  auto *const *servers = static_cast<ngx_http_core_srv_conf_t **>(cmcf.servers.elts);
  for (ngx_uint_t i = 0; i < cmcf.servers.nelts; i++) {
    const auto *names = static_cast<const ngx_http_server_name_t *>(servers[i]->server_names.elts);
    for (ngx_uint_t n = 0; n < servers[i]->server_names.nelts; n++) {
      for (ngx_uint_t v = 0; names[n].regex != nullptr && v < names[n].regex->nvariables; v++) {
        origins.bytes.data[names[n].regex->variables[v].index] = of_client;
      }
    }
  }
#endif
}

/// @return a new array with the request's values of the origins that stay; nullptr where there is no memory.
template <typename Stays>
ngx_http_variable_value_t *copy_values(ngx_http_request_t &r, ngx_pool_t *pool, const VariableOrigins &origins,
                                       Stays stays) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(&r);
  auto *values = static_cast<ngx_http_variable_value_t *>(
      ngx_pcalloc(pool, cmcf.variables.nelts * sizeof(ngx_http_variable_value_t)));
  if (values == nullptr) {
    return nullptr;
  }
  if (origins.request_id_index != NGX_ERROR) {
    (void)ngx_http_get_indexed_variable(&r, static_cast<ngx_uint_t>(origins.request_id_index));
  }
  for (ngx_uint_t i = 0; i < origins.bytes.len; i++) {
    if (stays(origins.bytes.data[i])) {
      values[i] = r.variables[i];
    }
  }
  return values;
}

}  // namespace

bool note_origins(ngx_conf_t *cf, ngx_int_t request_id_index, VariableOrigins &origins) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(cf);
  ngx_http_get_variable_pt capture_handler = nullptr;
  if (!find_capture_handler(cf, capture_handler)) {
    return false;
  }
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf.variables.elts);
  origins.bytes.len = cmcf.variables.nelts;
  origins.bytes.data = static_cast<u_char *>(ngx_pcalloc(cf->pool, cmcf.variables.nelts));
  if (origins.bytes.data == nullptr) {
    return false;
  }
  for (ngx_uint_t i = 0; i < cmcf.variables.nelts; i++) {
    const ngx_http_variable_t *variable = find_variable(cf, to_view(used[i].name));
    const bool written = variable != nullptr && is_written(*variable, i, capture_handler);
    origins.bytes.data[i] = written ? of_subrequest : evaluated;
  }
  note_server_name_captures(cmcf, origins);
  origins.request_id_index = request_id_index;
  if (request_id_index != NGX_ERROR) {
    origins.bytes.data[request_id_index] = of_client;
  }
  return true;
}

bool is_of_client(const ngx_conf_t *cf, const VariableOrigins &origins, std::string_view name) noexcept {
  const ngx_int_t index = find_variable_index(cf, name);
  return index >= 0 && static_cast<std::size_t>(index) < origins.bytes.len && origins.bytes.data[index] == of_client;
}

ngx_http_variable_value_t *make_variables(const ngx_http_request_t *r, const VariableOrigins &origins) noexcept {
  return copy_values(*r->main, r->pool, origins, [](u_char origin) { return origin == of_client; });
}

ngx_http_variable_value_t *make_fresh_variables(ngx_http_request_t *r, const VariableOrigins &origins) noexcept {
  return copy_values(*r, r->pool, origins, [](u_char origin) { return origin != evaluated; });
}

void forget_evaluated_variables(ngx_http_request_t *subrequest, const VariableOrigins &origins) noexcept {
  const ngx_http_core_main_conf_t &cmcf = core_main_of(subrequest);
  // Modules that come after this one may have added variables, but no `set`: those are all read by then.
  for (ngx_uint_t i = 0; i < cmcf.variables.nelts; i++) {
    if (i >= origins.bytes.len || origins.bytes.data[i] == evaluated) {
      forget_variable(subrequest, i);
    }
  }
}

}  // namespace nginx
