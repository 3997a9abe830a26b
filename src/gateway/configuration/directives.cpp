// What the directives' lines may say. nginx adds the file and the line to every message that is logged here.

#include <string_view>

#include "../../jose/strings.h"
#include "../../jose/writer.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../../oauth/response.h"
#include "../../oauth/scope.h"
#include "module_configuration.h"
#include "pool_memory.h"
#include "secret_file.h"

namespace gateway {
namespace {

/// Some buffers must be allocated at once, so the limit has one of its own.
constexpr ssize_t largest_response_size = ssize_t{64} * 1024 * 1024;

const ngx_str_t &argument(const ngx_conf_t *cf, ngx_uint_t i) noexcept {
  return static_cast<const ngx_str_t *>(cf->args->elts)[i];
}

template <typename T>
T &slot(const ngx_command_t *cmd, void *conf) noexcept {
  return *reinterpret_cast<T *>(static_cast<char *>(conf) + cmd->offset);
}

phantom_token_position_t position(const ngx_conf_t *cf) noexcept {
  return {cf->conf_file->file.name, cf->conf_file->line};
}

char *refuse() noexcept {
  return static_cast<char *>(NGX_CONF_ERROR);
}

/// @return where the line stands, for a message: the location, or the level above.
ngx_str_t place_of(ngx_conf_t *cf) noexcept {
  if ((static_cast<unsigned long>(cf->cmd_type) & NGX_HTTP_MAIN_CONF) != 0) {
    return to_ngx_str("http");
  }
  return display_name(
      *static_cast<ngx_http_core_loc_conf_t *>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module)));
}

char *duplicate() noexcept {
  return const_cast<char *>("is duplicate");
}

bool unset(const ngx_array_t *list) noexcept {
  return list == NGX_CONF_UNSET_PTR;
}

ngx_array_t *make_list(const ngx_conf_t *cf) noexcept {
  return ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
}

bool push(ngx_array_t *list, const ngx_str_t &string) noexcept {
  auto *element = static_cast<ngx_str_t *>(ngx_array_push(list));
  if (element == nullptr) {
    return false;
  }
  *element = string;
  return true;
}

/// @return the text up to the next space, which is taken off `rest` with it.
std::string_view take_scope(std::string_view &rest) noexcept {
  const std::string_view scope = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(scope.size() + 1, rest.size()));
  return scope;
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
    const std::string_view scope = take_scope(line);
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

/// Whatever outer levels have, there is none here, unless another line of this level sets it.
void inherit_nothing(ngx_http_complex_value_t *&value) noexcept {
  if (value == NGX_CONF_UNSET_PTR) {
    value = nullptr;
  }
}

/// Adds every argument of the line to the list. A single "" makes an empty list where that is allowed.
char *add_to_list(ngx_conf_t *cf, const ngx_command_t *cmd, void *conf, bool may_be_empty) noexcept {
  auto *&list = slot<ngx_array_t *>(cmd, conf);
  if (unset(list)) {
    list = make_list(cf);
  }
  if (list == nullptr) {
    return refuse();
  }
  if (may_be_empty && cf->args->nelts == 2 && argument(cf, 1).len == 0) {
    return NGX_CONF_OK;
  }

  for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
    const ngx_str_t &value = argument(cf, i);
    if (value.len == 0 || has_control_characters(to_view(value))) {
      const ngx_str_t place = place_of(cf);
      ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                         "\"%V\" of location \"%V\" has a value that is empty or has control characters: remove them",
                         &cmd->name, &place);
      return refuse();
    }
    if (!push(list, value)) {
      return refuse();
    }
  }
  return NGX_CONF_OK;
}

/// @return `"a" or "b" or "c"`, for a message.
ngx_str_t list_words(ngx_pool_t *pool, const ngx_conf_enum_t *words) noexcept {
  PoolMemory memory(pool);
  std::string_view list;
  (void)jose::write_text(
      memory,
      [&](jose::Writer &writer) {
        for (const ngx_conf_enum_t *word = words; word->name.len != 0; word++) {
          writer.put(word == words ? "\"" : " or \"");
          writer.put(to_view(word->name));
          writer.put('"');
        }
      },
      list);
  return to_ngx_str(list);
}

char *set_list(ngx_conf_t *cf, const ngx_command_t *cmd, void *conf, bool may_be_empty) noexcept {
  return unset(slot<ngx_array_t *>(cmd, conf)) ? add_to_list(cf, cmd, conf, may_be_empty) : duplicate();
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

char *phantom_token_set_text(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  if (has_control_characters(to_view(argument(cf, 1)))) {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\" has control characters, which no header may hold: remove them",
                       &cmd->name, &place);
    return refuse();
  }
  return ngx_conf_set_str_slot(cf, cmd, conf);
}

char *phantom_token_set_exchange_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  std::string_view rest = to_view(argument(cf, 1));
  while (!rest.empty()) {
    const std::string_view scope = take_scope(rest);
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
  const bool is_read =
      ngx_conf_full_name(cf->cycle, &path, 1) == NGX_OK && read_secret(cf, {cmd->name, place_of(cf)}, path, secret);
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

char *phantom_token_set_strings(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return set_list(cf, cmd, conf, true);
}

char *phantom_token_add_strings(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return add_to_list(cf, cmd, conf, true);
}

char *phantom_token_set_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return set_list(cf, cmd, conf, false);
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
  if (!unset(list)) {
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
    const ngx_str_t &value = argument(cf, i);
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
  }
  return NGX_CONF_OK;
}

char *phantom_token_set_word(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &number = slot<ngx_uint_t>(cmd, conf);
  if (number != NGX_CONF_UNSET_UINT) {
    return duplicate();
  }
  const ngx_str_t &value = argument(cf, 1);
  const auto *words = static_cast<const ngx_conf_enum_t *>(cmd->post);
  for (const ngx_conf_enum_t *word = words; word->name.len != 0; word++) {
    if (jose::equal_ignoring_case(to_view(word->name), to_view(value))) {  // as nginx compares its own words
      number = word->value;
      return NGX_CONF_OK;
    }
  }
  const ngx_str_t choice = list_words(cf->pool, words);
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\" must be %V, it is \"%V\"", &cmd->name, &place,
                     &choice, &value);
  return refuse();
}

char *phantom_token_set_seconds(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &seconds = slot<time_t>(cmd, conf);
  if (seconds != NGX_CONF_UNSET) {
    return duplicate();
  }
  ngx_str_t value = argument(cf, 1);
  seconds = ngx_parse_time(&value, 1);
  if (seconds == NGX_ERROR) {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\" must be a time in whole seconds, such as \"30s\", it is \"%V\"",
                       &cmd->name, &place, &value);
    return refuse();
  }
  return NGX_CONF_OK;
}

char *phantom_token_set_milliseconds(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &milliseconds = slot<ngx_msec_t>(cmd, conf);
  if (milliseconds != NGX_CONF_UNSET_MSEC) {
    return duplicate();
  }
  ngx_str_t value = argument(cf, 1);
  const ngx_int_t parsed = ngx_parse_time(&value, 0);
  if (parsed < 1) {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\" must be a time of at least 1ms, such as \"500ms\" or \"10s\", it is "
                       "\"%V\"",
                       &cmd->name, &place, &value);
    return refuse();
  }
  milliseconds = static_cast<ngx_msec_t>(parsed);
  return NGX_CONF_OK;
}

char *phantom_token_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto &size = slot<size_t>(cmd, conf);
  if (size != NGX_CONF_UNSET_SIZE) {
    return duplicate();
  }
  ngx_str_t value = argument(cf, 1);
  const ssize_t parsed = ngx_parse_size(&value);
  if (parsed < 1 || parsed > largest_response_size) {
    const ngx_str_t place = place_of(cf);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\" must be a size from 1 to 64m, it is \"%V\"",
                       &cmd->name, &place, &value);
    return refuse();
  }
  size = static_cast<size_t>(parsed);
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
