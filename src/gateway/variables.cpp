#include "variables.h"

#include <string_view>

#include "../oauth/bearer.h"
#include "../oauth/claim.h"
#include "../oauth/packed_introspection.h"
#include "endpoint.h"
#include "policy.h"
#include "pool_memory.h"
#include "request_state.h"
#include "text.h"
#include "upstreams.h"

namespace gateway {
namespace {

constexpr std::string_view prefix = "phantom_token_";
constexpr std::string_view claim_prefix = "phantom_token_claim_";
constexpr std::string_view client_header_prefix = "phantom_token_http_";

ngx_int_t set_value(ngx_http_variable_value_t *v, std::string_view value) noexcept {
  v->valid = 1;
  v->no_cacheable = 0;
  v->not_found = 0;
  v->len = static_cast<unsigned>(value.size());
  v->data = text(value).data;
  return NGX_OK;
}

ngx_int_t set_not_found(ngx_http_variable_value_t *v) noexcept {
  v->not_found = 1;
  return NGX_OK;
}

/// $http_authorization
ngx_int_t get_authorization(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const ngx_table_elt_t *header = r->headers_in.authorization;
  return header == nullptr ? set_not_found(v) : set_value(v, view(header->value));
}

std::string_view client_token(const ngx_http_request_t *r, oauth::TokenSyntax syntax) noexcept {
  if (const RequestState *state = find_state_above(r)) {
    return oauth::parse_bearer(view(state->authorization), syntax).token;
  }
  const ngx_table_elt_t *header = r->headers_in.authorization;
  return header == nullptr ? std::string_view() : oauth::parse_bearer(view(header->value), syntax).token;
}

/// What a key is over beside the token and the server.
struct KeySource {
  jose::Strings parts;
  ngx_http_complex_value_t *endpoint = nullptr;  ///< nullptr: an empty one
};

/// As the location would treat the token: a client's own JWT may have a way of its own, and where there is nobody to
/// ask, every token has that.
/// @return false where there is no memory.
bool find_key_source(ngx_http_request_t *r, const phantom_token_location_t &location, std::string_view token,
                     KeySource &source) noexcept {
  const TokenQuestion &question = location.policy->question;
  source = {question.key_parts, question.endpoint};
  if (question.client_jwt_key_parts.empty()) {
    return true;
  }
  PoolMemory memory(r->pool);
  jose::Jwt jwt;
  const char *problem = nullptr;
  if (question.endpoint == nullptr || jose::parse_jwt(token, memory, jwt, problem)) {
    source = {question.client_jwt_key_parts, location.jwks_endpoint};
  }
  return !memory.ran_out();
}

/// @return an empty view where there is no memory, or OpenSSL fails.
std::string_view make_key(ngx_http_request_t *r, const phantom_token_location_t &location,
                          std::string_view token) noexcept {
  KeySource source;
  ngx_str_t endpoint = ngx_null_string;
  auto *key = static_cast<char *>(ngx_pnalloc(r->pool, jose::hex_digest_size));
  if (key == nullptr || !find_key_source(r, location, token, source) ||
      (source.endpoint != nullptr && !evaluate_endpoint(r, source.endpoint, endpoint)) ||
      !token_key(r, source.parts, view(endpoint), token, key)) {
    return {};
  }
  return {key, jose::hex_digest_size};
}

/// $phantom_token_key: in the subrequest, what has been computed for it; elsewhere, what would be.
ngx_int_t get_key(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  if (const Call *call = call_above(r)) {
    return set_value(v, {call->key, sizeof(call->key)});
  }
  const auto *location =
      static_cast<phantom_token_location_t *>(ngx_http_get_module_loc_conf(r, ngx_http_phantom_token_module));
  const bool has_endpoint = location->policy->question.endpoint != nullptr;
  const std::string_view token = client_token(r, location->policy->token_syntax);
  if (token.empty() || (location->enabled == PHANTOM_TOKEN_OFF && !has_endpoint)) {
    return set_not_found(v);
  }
  const std::string_view key = make_key(r, *location, token);
  if (key.empty()) {
    v->no_cacheable = 0;  // how has_lost_key() tells this from a request without a token
    return NGX_ERROR;
  }
  return set_value(v, key);
}

/// $phantom_token_jwks_refresh: for proxy_cache_bypass in the location that reaches the JWK Set.
ngx_int_t get_jwks_refresh(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const Call *call = call_above(r);
  return call != nullptr && call->refreshes_keys ? set_value(v, "1") : set_not_found(v);
}

/// $phantom_token_status
ngx_int_t get_status(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const RequestState *state = find_state_above(r);
  return state == nullptr || !state->judged ? set_not_found(v) : set_value(v, oauth::meaning(state->outcome).word);
}

const Call *finished_call(const ngx_http_request_t *r) noexcept {
  const RequestState *state = find_state_above(r);
  return state != nullptr && state->call != nullptr && state->call->done ? state->call : nullptr;
}

/// $phantom_token_cache
ngx_int_t get_cache_status(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
#if (NGX_HTTP_CACHE)
  const Call *call = finished_call(r);
  if (call != nullptr && call->is_hot) {
    return set_value(v, "HOT");
  }
  if (call != nullptr && call->cache_status != 0) {
    return set_value(v, view(ngx_http_cache_status[call->cache_status - 1]));
  }
#endif
  return set_not_found(v);
}

/// $phantom_token_time, in the form of $upstream_response_time
ngx_int_t get_time(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const Call *call = finished_call(r);
  if (call == nullptr) {
    return set_not_found(v);
  }
  auto *value = static_cast<u_char *>(ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4));
  if (value == nullptr) {
    return NGX_ERROR;
  }
  const u_char *end = ngx_sprintf(value, "%T.%03M", static_cast<time_t>(call->duration / 1000), call->duration % 1000);
  return set_value(v, view({static_cast<size_t>(end - value), value}));
}

/// @return what has been accepted for this request, by checks of this module, or nullptr.
oauth::Introspection *accepted(const ngx_http_request_t *r) noexcept {
  const RequestState *state = find_state_above(r);
  if (state == nullptr || !state->judged || state->outcome != oauth::Outcome::active) {
    return nullptr;
  }
  if (state->client_jwt != nullptr) {
    return state->client_jwt;
  }
  return state->call != nullptr ? &state->call->introspection : nullptr;
}

/// $phantom_token_jwt
ngx_int_t get_jwt(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  const oauth::Introspection *introspection = accepted(r);
  return introspection == nullptr ? set_not_found(v) : set_value(v, introspection->jwt.compact);
}

ngx_int_t set_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v, std::string_view name) noexcept {
  oauth::Introspection *introspection = accepted(r);
  if (introspection == nullptr) {
    return set_not_found(v);
  }
  PoolMemory memory(r->pool);
  if (!oauth::read_all(*introspection, memory)) {
    return NGX_ERROR;
  }
  oauth::ClaimMatch match = oauth::find_claim(introspection->jwt.claims, name);
  if (match.count == 0) {
    match = oauth::find_claim(introspection->members, name);
  }
  if (match.count != 1) {
    return set_not_found(v);
  }
  std::string_view value;
  return oauth::claim_text(*match.claim, memory, value) ? set_value(v, value) : NGX_ERROR;
}

/// $phantom_token_claim_NAME; data is the variable's whole name
ngx_int_t get_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx hands over the name of a variable with a prefix.
  return set_claim(r, v, view(*reinterpret_cast<ngx_str_t *>(data)).substr(claim_prefix.size()));
}

/// $phantom_token_sub, $phantom_token_client_id and $phantom_token_scope
ngx_int_t get_sub(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  return set_claim(r, v, "sub");
}

ngx_int_t get_client_id(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  return set_claim(r, v, "client_id");
}

ngx_int_t get_scope(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) {
  return set_claim(r, v, "scope");
}

/// $phantom_token_http_NAME: $http_NAME of the client's request, but Authorization as the client sent it.
ngx_int_t get_client_header(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx hands over the name of a variable with a prefix.
  ngx_str_t name = text(view(*reinterpret_cast<ngx_str_t *>(data)).substr(prefix.size()));
  const RequestState *state = find_state(r->main);
  if (state != nullptr && view(name) == "http_authorization") {
    return state->authorization.data == nullptr ? set_not_found(v) : set_value(v, view(state->authorization));
  }
  const ngx_http_variable_value_t *header = ngx_http_get_variable(r->main, &name, ngx_hash_key(name.data, name.len));
  if (header == nullptr) {
    return NGX_ERROR;
  }
  *v = *header;
  return NGX_OK;
}

void forget(ngx_http_request_t *r, ngx_uint_t index) noexcept {
  r->variables[index].valid = 0;
  r->variables[index].not_found = 0;
}

const phantom_token_main_t &main_of(const ngx_http_request_t *r) noexcept {
  return *static_cast<phantom_token_main_t *>(ngx_http_get_module_main_conf(r, ngx_http_phantom_token_module));
}

struct Variable {
  std::string_view name;
  ngx_http_get_variable_pt handler;
  ngx_uint_t flags;
};

/// All can change within one request, at redirects, and subrequests share the array of values.
constexpr Variable variables[] = {
    {"http_authorization", get_authorization, NGX_HTTP_VAR_CHANGEABLE | NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_key", get_key, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_status", get_status, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_cache", get_cache_status, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_time", get_time, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_jwt", get_jwt, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_sub", get_sub, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_client_id", get_client_id, NGX_HTTP_VAR_NOCACHEABLE},
    {"phantom_token_scope", get_scope, NGX_HTTP_VAR_NOCACHEABLE},
    {claim_prefix, get_claim, NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX},
    {client_header_prefix, get_client_header, NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX},
    {"phantom_token_jwks_refresh", get_jwks_refresh, NGX_HTTP_VAR_NOCACHEABLE},
};

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
  regex.pattern = text("(?<phantom_token_capture>x)");
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
                               [[maybe_unused]] phantom_token_main_t &main) noexcept {
#if (NGX_PCRE)
  auto *const *servers = static_cast<ngx_http_core_srv_conf_t **>(cmcf.servers.elts);
  for (ngx_uint_t i = 0; i < cmcf.servers.nelts; i++) {
    const auto *names = static_cast<const ngx_http_server_name_t *>(servers[i]->server_names.elts);
    for (ngx_uint_t n = 0; n < servers[i]->server_names.nelts; n++) {
      for (ngx_uint_t v = 0; names[n].regex != nullptr && v < names[n].regex->nvariables; v++) {
        main.variable_origins.data[names[n].regex->variables[v].index] = of_client;
      }
    }
  }
#endif
}

bool note_origins(ngx_conf_t *cf, phantom_token_main_t &main) noexcept {
  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  ngx_http_get_variable_pt capture_handler = nullptr;
  if (!find_capture_handler(cf, capture_handler)) {
    return false;
  }
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf->variables.elts);
  main.variable_origins.len = cmcf->variables.nelts;
  main.variable_origins.data = static_cast<u_char *>(ngx_pcalloc(cf->pool, cmcf->variables.nelts));
  if (main.variable_origins.data == nullptr) {
    return false;
  }
  for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
    const ngx_http_variable_t *variable = find_variable(cf, view(used[i].name));
    const bool written = variable != nullptr && is_written(*variable, i, capture_handler);
    main.variable_origins.data[i] = written ? of_subrequest : evaluated;
  }
  note_server_name_captures(*cmcf, main);
  if (main.request_id_index != NGX_ERROR) {
    main.variable_origins.data[main.request_id_index] = of_client;
  }
  return true;
}

}  // namespace

const ngx_http_variable_t *find_variable(const ngx_conf_t *cf, std::string_view name) noexcept {
  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto *keys = static_cast<const ngx_hash_key_t *>(cmcf->variables_keys->keys.elts);
  for (ngx_uint_t i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
    if (view(keys[i].key) == name) {
      return static_cast<const ngx_http_variable_t *>(keys[i].value);
    }
  }
  return nullptr;
}

ngx_int_t add_variables(ngx_conf_t *cf) noexcept {
  for (const Variable &variable : variables) {
    ngx_str_t name = text(variable.name);
    ngx_http_variable_t *added = ngx_http_add_variable(cf, &name, variable.flags);
    if (added == nullptr) {
      return NGX_ERROR;
    }
    added->get_handler = variable.handler;
  }
  return NGX_OK;
}

ngx_int_t find_variable_index(const ngx_conf_t *cf, std::string_view name) noexcept {
  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf->variables.elts);
  for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
    if (view(used[i].name) == name) {
      return static_cast<ngx_int_t>(i);
    }
  }
  return NGX_ERROR;
}

bool is_of_client(const ngx_conf_t *cf, std::string_view name) noexcept {
  const auto *main =
      static_cast<phantom_token_main_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_phantom_token_module));
  const ngx_int_t index = find_variable_index(cf, name);
  return index >= 0 && static_cast<std::size_t>(index) < main->variable_origins.len &&
         main->variable_origins.data[index] == of_client;
}

ngx_int_t index_variables(ngx_conf_t *cf) noexcept {
  auto *main =
      static_cast<phantom_token_main_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_phantom_token_module));
  ngx_str_t authorization = ngx_string("http_authorization");
  main->authorization_index = ngx_http_get_variable_index(cf, &authorization);
  main->key_index = find_variable_index(cf, "phantom_token_key");
  main->request_body_index = find_variable_index(cf, "request_body");
  main->request_id_index = find_variable_index(cf, "request_id");
  // Not to be found by its name at request time: it is not in the hash of variables.
  ngx_str_t proxy_host = ngx_string("proxy_host");
  main->proxy_host_index =
      has_module(cf, "ngx_http_proxy_module") ? ngx_http_get_variable_index(cf, &proxy_host) : NGX_ERROR;
  main->variable_indices = ngx_array_create(cf->pool, 4, sizeof(ngx_uint_t));
  if (main->authorization_index == NGX_ERROR || main->variable_indices == nullptr || !note_origins(cf, *main)) {
    return NGX_ERROR;
  }

  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto *used = static_cast<const ngx_http_variable_t *>(cmcf->variables.elts);
  for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
    if (view(used[i].name).substr(0, prefix.size()) != prefix) {
      continue;
    }
    auto *index = static_cast<ngx_uint_t *>(ngx_array_push(main->variable_indices));
    if (index == nullptr) {
      return NGX_ERROR;
    }
    *index = i;
  }
  return NGX_OK;
}

bool has_lost_key(const ngx_http_request_t *r) noexcept {
  const ngx_int_t index = main_of(r).key_index;
  if (index == NGX_ERROR) {
    return false;
  }
  const ngx_http_variable_value_t &value = r->variables[index];
  return value.not_found != 0 && value.no_cacheable == 0;
}

ngx_http_variable_value_t *make_variables(const ngx_http_request_t *r) noexcept {
  const auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
  auto *values = static_cast<ngx_http_variable_value_t *>(
      ngx_pcalloc(r->pool, cmcf->variables.nelts * sizeof(ngx_http_variable_value_t)));
  if (values == nullptr) {
    return nullptr;
  }
  const phantom_token_main_t &main = main_of(r);
  if (main.request_id_index != NGX_ERROR) {
    (void)ngx_http_get_indexed_variable(r->main, static_cast<ngx_uint_t>(main.request_id_index));
  }
  for (ngx_uint_t i = 0; i < main.variable_origins.len; i++) {
    if (main.variable_origins.data[i] == of_client) {
      values[i] = r->main->variables[i];
    }
  }
  return values;
}

void forget_evaluated_variables(ngx_http_request_t *subrequest) noexcept {
  const auto *cmcf =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_get_module_main_conf(subrequest, ngx_http_core_module));
  const ngx_str_t &origins = main_of(subrequest).variable_origins;
  // Modules that come after this one may have added variables, but no `set`: those are all read by then.
  for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
    if (i >= origins.len || origins.data[i] == evaluated) {
      forget(subrequest, i);
    }
  }
}

void forget_authorization(ngx_http_request_t *r) noexcept {
  forget(r, static_cast<ngx_uint_t>(main_of(r).authorization_index));
}

void forget_variables(ngx_http_request_t *r) noexcept {
  const ngx_array_t *indices = main_of(r).variable_indices;
  for (ngx_uint_t i = 0; i < indices->nelts; i++) {
    forget(r, static_cast<const ngx_uint_t *>(indices->elts)[i]);
  }
}

}  // namespace gateway
