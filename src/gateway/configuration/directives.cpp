// Setters of single directives: what its line may say. nginx adds the file and the line to every message that is logged
// here.

#include <string_view>

#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../oauth/response.h"
#include "../../oauth/scope.h"
#include "module_configuration.h"
#include "secret_file.h"
#include "setters.h"

namespace gateway {
namespace {

phantom_token_position_t position(const ngx_conf_t *cf) noexcept {
  return {cf->conf_file->file.name, cf->conf_file->line};
}

char *refuse_scope(ngx_conf_t *cf, const ngx_command_t *cmd, std::string_view scope) noexcept {
  const ngx_str_t shown = printable(cf->pool, scope);
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(
      NGX_LOG_EMERG, cf, 0,
      "\"%V\" of location \"%V\" has a scope that no token can have: \"%V\"; a scope consists of printable ASCII "
      "characters but \" and \\ (RFC 6749 section 3.3), and \"*\" may only be the last character of a required one, "
      "after a prefix",
      &cmd->name, &place, &shown);
  return refuse();
}

/// Adds the scopes of one argument, which spaces separate.
char *push_scopes(ngx_conf_t *cf, const ngx_command_t *cmd, ngx_array_t *list, std::string_view line) noexcept {
  while (!line.empty()) {
    const std::string_view scope = take_word(line);
    if (scope.empty()) {
      continue;
    }
    if (!oauth::is_required_scope(scope)) {
      return refuse_scope(cf, cmd, scope);
    }
    if (!push(list, to_ngx_str(scope))) {
      return refuse();
    }
  }
  return NGX_CONF_OK;
}

char *set_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) noexcept {
  if (argument(cf, 1).len == 0 || argument(cf, 1).data[0] == '@') {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\" must be the URI of an internal location, such as \"/_introspect\"; a "
                       "named location cannot serve a subrequest",
                       &cmd->name, &place);
    return refuse();
  }
  return ngx_http_set_complex_value_slot(cf, cmd, conf);
}

/// Keeps the merge from inheriting the value. Another line of this level may still set it.
void inherit_nothing(ngx_http_complex_value_t *&value) noexcept {
  if (value == NGX_CONF_UNSET_PTR) {
    value = nullptr;
  }
}

char *push_status(ngx_conf_t *cf, const ngx_command_t *cmd, ngx_array_t *list, const ngx_str_t &value) noexcept {
  const ngx_int_t status = value.len == 3 ? ngx_atoi(value.data, value.len) : NGX_ERROR;
  if (status < ngx_int_t{oauth::InactiveStatuses::lowest} || status > ngx_int_t{oauth::InactiveStatuses::highest}) {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\" must be a list of statuses from 400 to 499, it has \"%V\"",
                       &cmd->name, &place, &value);
    return refuse();
  }
  auto *element = static_cast<ngx_uint_t *>(ngx_array_push(list));
  if (element == nullptr) {
    return refuse();
  }
  *element = static_cast<ngx_uint_t>(status);
  return NGX_CONF_OK;
}

}  // namespace
}  // namespace gateway

extern "C" {

using namespace gateway;

char *phantom_token_set_enabled(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  static_cast<phantom_token_location_t *>(conf)->enabled_at = position(cf);
  return phantom_token_set_word(cf, cmd, conf);
}

// One of the two token endpoints replaces what outer levels have of the other. Both on one level are refused later, by
// check_token_endpoints().

char *phantom_token_set_introspection_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  location.introspection_endpoint_at = position(cf);
  inherit_nothing(location.exchange_endpoint);
  return set_endpoint(cf, cmd, conf);
}

char *phantom_token_set_exchange_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &location = *static_cast<phantom_token_location_t *>(conf);
  location.exchange_endpoint_at = position(cf);
  inherit_nothing(location.introspection_endpoint);
  return set_endpoint(cf, cmd, conf);
}

char *phantom_token_set_jwks_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  static_cast<phantom_token_location_t *>(conf)->jwks_endpoint_at = position(cf);
  return set_endpoint(cf, cmd, conf);
}

char *phantom_token_set_exchange_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  std::string_view rest = to_view(argument(cf, 1));
  while (!rest.empty()) {
    const std::string_view scope = take_word(rest);
    if (!scope.empty() && !oauth::is_scope_token(scope)) {
      return refuse_scope(cf, cmd, scope);
    }
  }
  return ngx_conf_set_str_slot(cf, cmd, conf);
}

char *phantom_token_set_secret_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &secret = slot<ngx_str_t>(cmd, conf);
  if (secret.data != nullptr) {
    return duplicate();
  }
  ngx_str_t path = argument(cf, 1);
  if (path.len == 0) {
    secret = path;  // no credentials where outer levels have some
    return NGX_CONF_OK;
  }
  const bool is_read = ngx_conf_full_name(cf->cycle, &path, 1) == NGX_OK &&
                       read_secret(cf, {cmd->name, place_of(cf), "secret"}, path, secret);
  return is_read ? NGX_CONF_OK : refuse();
}

// The two lists of scopes are not inherited as they are (merge.cpp), and nullptr where this level has no such line.

char *phantom_token_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return slot<ngx_array_t *>(cmd, conf) == nullptr ? phantom_token_add_scope(cf, cmd, conf) : duplicate();
}

char *phantom_token_add_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&list = slot<ngx_array_t *>(cmd, conf);
  if (list == nullptr) {
    list = make_list(cf);
  }
  return list == nullptr ? refuse() : push_scopes(cf, cmd, list, to_view(argument(cf, 1)));
}

char *phantom_token_set_type_hint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  const ngx_str_t &value = argument(cf, 1);
  if (value.len == 0 || has_control_characters(to_view(value))) {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\" must be a word such as \"access_token\", or \"off\"", &cmd->name,
                       &place);
    return refuse();
  }
  return ngx_conf_set_str_slot(cf, cmd, conf);
}

char *phantom_token_set_inactive_statuses(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&list = slot<ngx_array_t *>(cmd, conf);
  if (list != NGX_CONF_UNSET_PTR) {
    return duplicate();
  }
  list = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_uint_t));
  if (list == nullptr) {
    return refuse();
  }
  if (cf->args->nelts == 2 && argument(cf, 1).len == 0) {
    return NGX_CONF_OK;
  }
  for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
    if (push_status(cf, cmd, list, argument(cf, i)) != NGX_CONF_OK) {
      return refuse();
    }
  }
  return NGX_CONF_OK;
}

char *phantom_token_refuse_client_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *) {
  ngx_conf_log_error(
      NGX_LOG_EMERG, cf, 0,
      "\"%V\" is gone, so that no secret stands in the configuration: use \"phantom_token_client_id\" and "
      "\"phantom_token_client_secret_file\", or \"proxy_set_header Authorization\" in the introspection "
      "location",
      &cmd->name);
  return refuse();
}

}  // extern "C"
