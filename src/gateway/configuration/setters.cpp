// Setters that several directives may use: texts, words, numbers and lists. nginx adds the file and the line to every
// message that is logged here.

#include "setters.h"

#include <algorithm>
#include <string_view>

#include "../../jose/strings.h"
#include "../../jose/writer.h"
#include "../../nginx/core_configuration.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "pool_memory.h"

namespace gateway {
namespace {

/// Of phantom_token_max_response_size: a response is collected in one buffer, which may have to be allocated at once.
constexpr ssize_t largest_response_size = ssize_t{64} * 1024 * 1024;

bool unset(const ngx_array_t *list) noexcept {
  return list == NGX_CONF_UNSET_PTR;
}

char *refuse_value(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" has a value that is empty or has control characters: remove them",
                     &cmd->name, &place);
  return refuse();
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
      return refuse_value(cf, cmd);
    }
    if (!push(list, value)) {
      return refuse();
    }
  }
  return NGX_CONF_OK;
}

char *set_list(ngx_conf_t *cf, const ngx_command_t *cmd, void *conf, bool may_be_empty) noexcept {
  return unset(slot<ngx_array_t *>(cmd, conf)) ? add_to_list(cf, cmd, conf, may_be_empty) : duplicate();
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

}  // namespace

ngx_str_t place_of(ngx_conf_t *cf) noexcept {
  if ((static_cast<unsigned long>(cf->cmd_type) & NGX_HTTP_MAIN_CONF) != 0) {
    return to_ngx_str("http");
  }
  return display_name(core_location_of(cf));
}

std::string_view take_word(std::string_view &rest) noexcept {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

bool compile_value(ngx_conf_t *cf, const ngx_str_t &text, ngx_http_complex_value_t &value) noexcept {
  ngx_str_t source = text;
  ngx_http_compile_complex_value_t compilation = {};
  compilation.cf = cf;
  compilation.value = &source;
  compilation.complex_value = &value;
  return ngx_http_compile_complex_value(&compilation) == NGX_OK;
}

}  // namespace gateway

extern "C" {

using namespace gateway;

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

char *phantom_token_set_lifetime(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  constexpr time_t longest = 31536000;  // a year
  char *result = phantom_token_set_seconds(cf, cmd, conf);
  const time_t lifetime = slot<time_t>(cmd, conf);
  if (result != NGX_CONF_OK || (lifetime >= 1 && lifetime <= longest)) {
    return result;
  }
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" must be a time from \"1s\" to \"1y\", it is \"%V\"", &cmd->name, &place,
                     &argument(cf, 1));
  return refuse();
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

char *phantom_token_set_strings(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return set_list(cf, cmd, conf, true);
}

char *phantom_token_add_strings(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return add_to_list(cf, cmd, conf, true);
}

/// One argument, in which spaces separate the words. "" makes an empty list.
char *phantom_token_set_words(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&list = slot<ngx_array_t *>(cmd, conf);
  if (!unset(list)) {
    return duplicate();
  }
  list = make_list(cf);
  std::string_view rest = to_view(argument(cf, 1));
  if (list == nullptr || has_control_characters(rest)) {
    return list == nullptr ? refuse() : refuse_value(cf, cmd);
  }
  while (!rest.empty()) {
    const std::string_view word = take_word(rest);
    if (!word.empty() && !push(list, to_ngx_str(word))) {
      return refuse();
    }
  }
  return NGX_CONF_OK;
}

char *phantom_token_set_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return set_list(cf, cmd, conf, false);
}

}  // extern "C"
