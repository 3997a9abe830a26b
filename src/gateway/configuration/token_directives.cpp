// The lines that say where a token is taken from, and what it looks like.

#include <string_view>

#include "../../nginx/complex_value.h"
#include "../../nginx/pattern.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "setters.h"

namespace gateway {
namespace {

/// RFC 6750 section 5.3: what stands in a URL is written down in many places.
void warn_of_argument(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                     "\"%V\" of location \"%V\" takes the token out of the URL, by \"%V\": it then stands in access "
                     "logs and histories; leave the arguments out of the log, and take a cookie where you can",
                     &cmd->name, &place, &value);
}

/// nginx compares the names of variables without case.
bool names_argument(std::string_view value) noexcept {
  constexpr std::string_view of_url[] = {"arg_", "args", "query_string", "request_uri", "request"};
  while (!value.empty() && value.front() == '$') {
    value.remove_prefix(value.substr(0, 2) == "${" ? 2 : 1);
    const std::string_view name = value.substr(0, value.find_first_of("$}"));
    for (const std::string_view one : of_url) {
      if (equal_ignoring_case(one.back() == '_' ? name.substr(0, one.size()) : name, one)) {
        return true;
      }
    }
    value.remove_prefix(value.substr(name.size(), 1) == "}" ? name.size() + 1 : name.size());
  }
  return false;
}

char *refuse_source(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" must name \"authorization\" or variables, such as \"$cookie_at\", each "
                     "as an argument of its own and without any text beside it; it has \"%V\"",
                     &cmd->name, &place, &value);
  return refuse();
}

/// @param source set to nullptr for the header Authorization, where the result is NGX_CONF_OK.
char *read_source(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value,
                  ngx_http_complex_value_t *&source) noexcept {
  source = nullptr;
  if (equal_ignoring_case(to_view(value), "authorization")) {
    return NGX_CONF_OK;
  }
  source = make<ngx_http_complex_value_t>(cf->pool);
  if (has_literal_text(to_view(value))) {
    return refuse_source(cf, cmd, value);
  }
  if (source == nullptr || !compile_value(cf, value, *source)) {
    return refuse();
  }
  if (names_argument(to_view(value))) {
    warn_of_argument(cf, cmd, value);
  }
  return NGX_CONF_OK;
}

}  // namespace
}  // namespace gateway

extern "C" {

using namespace gateway;

char *phantom_token_set_sources(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&list = slot<ngx_array_t *>(cmd, conf);
  if (list != NGX_CONF_UNSET_PTR) {
    return duplicate();
  }
  list = ngx_array_create(cf->pool, cf->args->nelts - 1, sizeof(ngx_http_complex_value_t *));
  for (ngx_uint_t i = 1; list != nullptr && i < cf->args->nelts; i++) {
    auto *source = static_cast<ngx_http_complex_value_t **>(ngx_array_push(list));
    if (source == nullptr || read_source(cf, cmd, argument(cf, i), *source) != NGX_CONF_OK) {
      return refuse();
    }
  }
  return list == nullptr ? refuse() : NGX_CONF_OK;
}

char *phantom_token_set_pattern(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&pattern = slot<phantom_token_pattern_t *>(cmd, conf);
  if (pattern != NGX_CONF_UNSET_PTR) {
    return duplicate();
  }
  pattern = nullptr;
  if (argument(cf, 1).len == 0) {
    return NGX_CONF_OK;
  }
  pattern = compile_pattern(cf, argument(cf, 1));
  return pattern == nullptr ? refuse() : NGX_CONF_OK;
}

}  // extern "C"
