// Variables that are claims: by a name of this module, or by that of phantom_token_claim_set.

#include "claim_variables.h"

#include "../../jose/strings.h"
#include "../../nginx/pool.h"
#include "../../oauth/claim.h"
#include "../../oauth/token_information_codec.h"
#include "../configuration/pool_memory.h"
#include "../configuration/setters.h"
#include "../subrequest/request_state.h"
#include "variable_value.h"

namespace gateway {
namespace {

/// The information with its claims and members read; nullptr where nothing has been accepted.
/// @return NGX_OK, or NGX_ERROR where there is no memory.
ngx_int_t read_accepted(const ngx_http_request_t *r, PoolMemory &memory,
                        const oauth::TokenInformation *&information) noexcept {
  oauth::TokenInformation *found = accepted(r);
  information = found;
  return found == nullptr || oauth::read_all(*found, memory) ? NGX_OK : NGX_ERROR;
}

ngx_int_t set_claim_text(ngx_http_variable_value_t *v, const jose::JsonValue *claim, PoolMemory &memory) noexcept {
  if (claim == nullptr) {
    return set_not_found(v);
  }
  std::string_view value;
  return oauth::claim_text(*claim, memory, value) ? set_value(v, value) : NGX_ERROR;
}

ngx_int_t set_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v, std::string_view name) noexcept {
  PoolMemory memory(r->pool);
  const oauth::TokenInformation *information = nullptr;
  if (read_accepted(r, memory, information) != NGX_OK) {
    return NGX_ERROR;
  }
  oauth::ClaimMatch match;
  if (information != nullptr) {
    match = oauth::find_claim(information->jwt.claims, name);
    match = match.count == 0 ? oauth::find_claim(information->members, name) : match;
  }
  return set_claim_text(v, match.count == 1 ? match.claim : nullptr, memory);
}

/// A variable of phantom_token_claim_set; data is its path.
ngx_int_t get_claim_at(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx hands over what a variable needs.
  const auto &path = *reinterpret_cast<const jose::Strings *>(data);
  PoolMemory memory(r->pool);
  const oauth::TokenInformation *information = nullptr;
  if (read_accepted(r, memory, information) != NGX_OK) {
    return NGX_ERROR;
  }
  const jose::JsonValue *claim = nullptr;
  if (information != nullptr) {
    claim = oauth::find_claim_at(information->jwt.claims, path);
    claim = claim == nullptr ? oauth::find_claim_at(information->members, path) : claim;
  }
  return set_claim_text(v, claim, memory);
}

/// @return the names behind the variable's; nullptr where there is no memory.
jose::Strings *read_path(const ngx_conf_t *cf) noexcept {
  const ngx_uint_t count = cf->args->nelts - 2;
  auto *path = make<jose::Strings>(cf->pool);
  auto *names = static_cast<std::string_view *>(ngx_palloc(cf->pool, count * sizeof(std::string_view)));
  if (path == nullptr || names == nullptr) {
    return nullptr;
  }
  for (ngx_uint_t i = 0; i < count; i++) {
    new (&names[i]) std::string_view(to_view(argument(cf, i + 2)));
  }
  *path = {names, count};
  return path;
}

bool is_variable_name(std::string_view text) noexcept {
  constexpr std::string_view characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  return text.size() > 1 && text.front() == '$' && text.find_first_not_of(characters, 1) == std::string_view::npos;
}

char *refuse_variable(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" needs the name of a variable first, such as \"$roles\", it has \"%V\"", &cmd->name,
                     &argument(cf, 1));
  return refuse();
}

/// Another claim's, or that of a `map` or `set`, which would win over the claim without a word.
char *refuse_taken_variable(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" defines the variable \"%V\", which another directive defines too: choose another name",
                     &cmd->name, &argument(cf, 1));
  return refuse();
}

bool has_empty_name(const ngx_conf_t *cf) noexcept {
  for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
    if (argument(cf, i).len == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

oauth::TokenInformation *accepted(const ngx_http_request_t *r) noexcept {
  const RequestState *state = find_state_above(r);
  if (state == nullptr || !state->is_judged || state->outcome != oauth::Outcome::active) {
    return nullptr;
  }
  if (state->client_jwt != nullptr) {
    return &state->client_jwt->information;
  }
  return state->answer != nullptr ? &state->answer->interpreted.information : nullptr;
}

ngx_int_t get_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx hands over the name of a variable with a prefix.
  return set_claim(r, v, to_view(*reinterpret_cast<ngx_str_t *>(data)).substr(claim_prefix.size()));
}

ngx_int_t get_sub(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  return set_claim(r, v, "sub");
}

ngx_int_t get_client_id(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  return set_claim(r, v, "client_id");
}

ngx_int_t get_scope(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t /*data*/) noexcept {
  return set_claim(r, v, "scope");
}

}  // namespace gateway

extern "C" {

using namespace gateway;

char *phantom_token_add_claim_variable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  if (!is_variable_name(to_view(argument(cf, 1)))) {
    return refuse_variable(cf, cmd);
  }
  if (has_empty_name(cf)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" has an empty name of a claim: remove it", &cmd->name);
    return refuse();
  }
  ngx_str_t name = {argument(cf, 1).len - 1, argument(cf, 1).data + 1};
  jose::Strings *path = read_path(cf);
  ngx_http_variable_t *variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
  if (path == nullptr || variable == nullptr) {
    return refuse();
  }
  // nginx itself refuses the name of a variable that nobody may change.
  if (variable->get_handler != nullptr || (variable->flags & NGX_HTTP_VAR_CHANGEABLE) != 0) {
    return refuse_taken_variable(cf, cmd);
  }
  variable->get_handler = get_claim_at;
  variable->data = reinterpret_cast<uintptr_t>(path);
  const bool is_listed = push(&static_cast<phantom_token_main_t *>(conf)->claim_variables, variable->name);
  return is_listed ? NGX_CONF_OK : refuse();
}

}  // extern "C"
