#pragma once

#include <string_view>

#include "module_configuration.h"

namespace gateway {

/// The line that names the file, for messages.
struct FileLine {
  ngx_str_t directive;
  ngx_str_t location;
  const char *what;  ///< is in the file: "secret"
};

/// Reads a file that should be its owner's alone, while the configuration is read, which is when nginx is still root.
/// Warns where everybody can read it.
/// @param path absolute, with a terminator.
/// @param buffer room for `size` bytes.
/// @param content set, in the buffer, where the result is true; what is beyond its size is not read.
/// @return false where the file cannot be read; that has been logged.
bool read_private_file(ngx_conf_t *cf, const FileLine &line, const ngx_str_t &path, u_char *buffer, size_t size,
                       std::string_view &content) noexcept;

}  // namespace gateway
