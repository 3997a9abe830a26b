// The lines that say what a token's claims must be: how its user was authenticated, and values that must be there.

#include <string_view>

#include "../../nginx/complex_value.h"
#include "../../nginx/strings.h"
#include "setters.h"

namespace gateway {
namespace {

constexpr std::string_view error_parameter = "error=";

bool is_error_parameter(std::string_view argument) noexcept {
  return argument.substr(0, error_parameter.size()) == error_parameter;
}

/// @return the status of the refusal, or 0.
ngx_uint_t read_error(std::string_view argument) noexcept {
  const std::string_view value = argument.substr(error_parameter.size());
  if (value == "401") {
    return NGX_HTTP_UNAUTHORIZED;
  }
  return value == "403" ? NGX_HTTP_FORBIDDEN : 0;
}

char *refuse_error(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &argument) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" answers with one \"error=401\" or \"error=403\", it has \"%V\"",
                     &cmd->name, &place, &argument);
  return refuse();
}

char *refuse_without_values(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\" has no value: add a variable", &cmd->name,
                     &place);
  return refuse();
}

/// A name without its dollar, a list in quotes, a comparison: none of them would ever be empty or `0`, and every token
/// would be let in.
char *refuse_literal_text(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(
      NGX_LOG_EMERG, cf, 0,
      "\"%V\" of location \"%V\" has the value \"%V\", whose text beside variables would let every token "
      "in: write each variable as a value of its own, such as \"$phantom_token_claim_tenant\", and "
      "compare in a map",
      &cmd->name, &place, &value);
  return refuse();
}

void warn_of_constant(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                     "\"%V\" of location \"%V\" has the value \"%V\", which is the same for every token", &cmd->name,
                     &place, &value);
}

bool is_plain_answer(std::string_view value) noexcept {
  return value.empty() || value == "0" || value == "1";
}

/// @return the problem of a request for which the value is empty or `0`; nullptr where there is no memory.
const char *describe_problem(ngx_pool_t *pool, const ngx_str_t &value) noexcept {
  constexpr const char *format = "\"%V\" is required, and is empty or \"0\"";
  auto *problem = static_cast<u_char *>(ngx_pnalloc(pool, ngx_strlen(format) + value.len + 1));
  if (problem == nullptr) {
    return nullptr;
  }
  *ngx_sprintf(problem, format, &value) = '\0';
  return reinterpret_cast<const char *>(problem);
}

char *push_value(ngx_conf_t *cf, const ngx_command_t *cmd, ngx_array_t *list, const ngx_str_t &value,
                 ngx_uint_t status) noexcept {
  if (is_plain_answer(to_view(value))) {
    warn_of_constant(cf, cmd, value);
  } else if (has_literal_text(to_view(value))) {
    return refuse_literal_text(cf, cmd, value);
  }
  auto *required = static_cast<phantom_token_required_value_t *>(ngx_array_push(list));
  if (required == nullptr) {
    return refuse();
  }
  required->status = status;
  required->problem = describe_problem(cf->pool, printable(cf->pool, to_view(value)));
  return required->problem != nullptr && compile_value(cf, value, required->value) ? NGX_CONF_OK : refuse();
}

}  // namespace
}  // namespace gateway

extern "C" {

using namespace gateway;

char *phantom_token_set_max_auth_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  char *result = phantom_token_set_seconds(cf, cmd, conf);
  if (result != NGX_CONF_OK || slot<time_t>(cmd, conf) > 0) {
    return result;
  }
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\" must be a time of at least 1s, it is \"%V\"",
                     &cmd->name, &place, &argument(cf, 1));
  return refuse();
}

char *phantom_token_add_required_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&list = slot<ngx_array_t *>(cmd, conf);
  ngx_uint_t status = 0;
  ngx_uint_t values = 0;
  for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
    if (!is_error_parameter(to_view(argument(cf, i)))) {
      values++;
    } else if (status != 0 || (status = read_error(to_view(argument(cf, i)))) == 0) {
      return refuse_error(cf, cmd, argument(cf, i));
    }
  }
  if (values == 0) {
    return refuse_without_values(cf, cmd);
  }
  if (list == NGX_CONF_UNSET_PTR) {
    list = ngx_array_create(cf->pool, values, sizeof(phantom_token_required_value_t));
  }
  for (ngx_uint_t i = 1; list != nullptr && i < cf->args->nelts; i++) {
    if (!is_error_parameter(to_view(argument(cf, i))) &&
        push_value(cf, cmd, list, argument(cf, i), status == 0 ? NGX_HTTP_FORBIDDEN : status) != NGX_CONF_OK) {
      return refuse();
    }
  }
  return list == nullptr ? refuse() : NGX_CONF_OK;
}

}  // extern "C"
