#pragma once

#include <string_view>

#include "module_configuration.h"

namespace gateway {

/// What the setters of directives share: the line that nginx has read, and the field of its command.

inline const ngx_str_t &argument(const ngx_conf_t *cf, ngx_uint_t i) noexcept {
  return static_cast<const ngx_str_t *>(cf->args->elts)[i];
}

/// @return the field that the command sets.
template <typename T>
T &slot(const ngx_command_t *cmd, void *conf) noexcept {
  return *reinterpret_cast<T *>(static_cast<char *>(conf) + cmd->offset);
}

/// @return where the line stands, for a message: the location, or the level above.
ngx_str_t place_of(ngx_conf_t *cf) noexcept;

/// What a setter returns when it has logged what is wrong.
inline char *refuse() noexcept {
  return static_cast<char *>(NGX_CONF_ERROR);
}

/// What it returns for a second line on one level; nginx logs it.
inline char *duplicate() noexcept {
  return const_cast<char *>("is duplicate");
}

/// @return the text up to the next space, which is taken off `rest` with it; empty between two spaces.
std::string_view take_word(std::string_view &rest) noexcept;

/// Compiles a text that may have variables in it.
/// @return false where it cannot be compiled, which has been logged, or there is no memory.
bool compile_value(ngx_conf_t *cf, const ngx_str_t &text, ngx_http_complex_value_t &value) noexcept;

/// @return an empty list of strings, or nullptr where there is no memory.
inline ngx_array_t *make_list(const ngx_conf_t *cf) noexcept {
  return ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
}

/// @return false where there is no memory.
inline bool push(ngx_array_t *list, const ngx_str_t &string) noexcept {
  auto *element = static_cast<ngx_str_t *>(ngx_array_push(list));
  if (element == nullptr) {
    return false;
  }
  *element = string;
  return true;
}

}  // namespace gateway
