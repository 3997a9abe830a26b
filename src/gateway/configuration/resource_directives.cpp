// What the lines may say that describe the API to its clients (RFC 9728).

#include "resource_directives.h"

#include <algorithm>
#include <string_view>

#include "../../nginx/strings.h"
#include "../../oauth/http_url.h"
#include "../../oauth/resource_metadata.h"
#include "endpoint.h"
#include "setters.h"

namespace gateway {
namespace {

constexpr std::string_view parameter = "authorization_servers=";

char *refuse_resource(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const ngx_str_t place = place_of(cf);
  const ngx_str_t shown = printable(cf->pool, to_view(argument(cf, 1)));
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" must be an absolute http or https URL, without fragment and user name, "
                     "such as \"https://api.example.com/orders\", it is \"%V\"",
                     &cmd->name, &place, &shown);
  return refuse();
}

void log_bad_parameter(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const ngx_str_t place = place_of(cf);
  const ngx_str_t shown = printable(cf->pool, to_view(argument(cf, 1)));
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" wants nothing, or \"authorization_servers=URL\" with one URL or, in "
                     "quotes, several, it has \"%V\"",
                     &cmd->name, &place, &shown);
}

void log_bad_server(ngx_conf_t *cf, const ngx_command_t *cmd, std::string_view server) noexcept {
  const ngx_str_t place = place_of(cf);
  const ngx_str_t shown = printable(cf->pool, server);
  ngx_conf_log_error(
      NGX_LOG_EMERG, cf, 0,
      "\"%V\" of location \"%V\" has an authorization server that is no issuer identifier: \"%V\"; write "
      "an absolute http or https URL without query, fragment and variables (RFC 8414 section 2)",
      &cmd->name, &place, &shown);
}

/// Adds the URLs of a text, which spaces separate.
bool push_servers(ngx_conf_t *cf, const ngx_command_t *cmd, ngx_array_t *list, std::string_view text) noexcept {
  while (!text.empty()) {
    const std::string_view server = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(server.size() + 1, text.size()));
    if (server.empty()) {
      continue;
    }
    if (!oauth::is_issuer_identifier(server) || server.find('$') != std::string_view::npos) {
      log_bad_server(cf, cmd, server);
      return false;
    }
    if (!push(list, to_ngx_str(server))) {
      return false;
    }
  }
  return true;
}

/// nginx knows quotes around a whole argument only: of `authorization_servers="A B"` it makes two arguments, in which
/// the quotes still stand.
/// @param text what the argument has of the list; the closing quote is taken off.
/// @return false where the list has ended before this argument, or its closing quote is missing.
bool take_closing_quote(bool is_quoted, bool is_last, std::string_view &text) noexcept {
  if (!is_quoted || !is_last) {
    return is_quoted || is_last;
  }
  if (text.empty() || text.back() != '"') {
    return false;
  }
  text.remove_suffix(1);
  return true;
}

bool read_servers(ngx_conf_t *cf, const ngx_command_t *cmd, ngx_array_t *list) noexcept {
  std::string_view text = to_view(argument(cf, 1));
  const bool is_named = text.substr(0, parameter.size()) == parameter;
  text.remove_prefix(is_named ? parameter.size() : 0);
  const bool is_quoted = text.substr(0, 1) == "\"";
  text.remove_prefix(is_quoted ? 1 : 0);
  for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
    text = i == 1 ? text : to_view(argument(cf, i));
    if (!is_named || !take_closing_quote(is_quoted, i + 1 == cf->args->nelts, text)) {
      log_bad_parameter(cf, cmd);
      return false;
    }
    if (!push_servers(cf, cmd, list, text)) {
      return false;
    }
  }
  if (list->nelts == 0) {
    log_bad_parameter(cf, cmd);
  }
  return list->nelts != 0;
}

}  // namespace

ngx_array_t *read_authorization_servers(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  ngx_array_t *list = make_list(cf);
  return list != nullptr && read_servers(cf, cmd, list) ? list : nullptr;
}

}  // namespace gateway

extern "C" char *phantom_token_set_resource(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  using namespace gateway;
  char *result = ngx_http_set_complex_value_slot(cf, cmd, conf);
  if (result != NGX_CONF_OK || argument(cf, 1).len == 0) {
    return result;
  }
  oauth::HttpUrl url;
  const auto *value = slot<ngx_http_complex_value_t *>(cmd, conf);
  return !is_constant(*value) || oauth::parse_http_url(to_view(value->value), url) ? NGX_CONF_OK
                                                                                   : refuse_resource(cf, cmd);
}
