#pragma once

#include "private_file.h"

namespace gateway {

/// Reads a secret while the configuration is read, which is when nginx is still root. One newline at the end is
/// dropped. Warns of a file that others can read, and of a blank at an end of the secret.
/// @param path absolute, with a terminator.
/// @param secret set, in the configuration's pool, where the result is true.
/// @return false where the file cannot be read, is empty or too large, or holds anything but one line of text; that has
///   been logged.
bool read_secret(ngx_conf_t *cf, const FileLine &line, const ngx_str_t &path, ngx_str_t &secret) noexcept;

}  // namespace gateway
