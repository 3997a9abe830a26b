#include "secret_file.h"

#include <string_view>

#include "../../nginx/strings.h"

namespace gateway {
namespace {

constexpr size_t largest_secret = 4096;

bool begins_with(std::string_view text, std::string_view start) noexcept {
  return text.substr(0, start.size()) == start;
}

bool ends_with(std::string_view text, char c) noexcept {
  return !text.empty() && text.back() == c;
}

/// Editors end a file with a newline, LF or CR LF: one is not a part of the secret.
std::string_view without_newline(std::string_view text) noexcept {
  for (const char c : {'\n', '\r'}) {
    if (!ends_with(text, c)) {
      break;
    }
    text.remove_suffix(1);
  }
  return text;
}

/// UTF-8's, and UTF-16's in both orders.
bool has_byte_order_mark(std::string_view text) noexcept {
  return begins_with(text, "\xEF\xBB\xBF") || begins_with(text, "\xFE\xFF") || begins_with(text, "\xFF\xFE");
}

/// Looks for what makes the text another secret than the operator means: the authorization server would only answer
/// that the credentials are wrong.
/// @return what is wrong with the secret and what to do, or nullptr. It does not show the secret.
const char *find_fault(std::string_view secret) noexcept {
  if (has_byte_order_mark(secret)) {
    return "begins with a byte order mark, which would be a part of the secret: save the file as text without one";
  }
  if (secret.find_first_not_of(' ') == std::string_view::npos) {
    return "is empty: write the secret into it";
  }
  if (secret.size() > largest_secret) {
    return "is larger than a secret may be, 4096 bytes: is it the right file?";
  }
  if (secret.find('\0') != std::string_view::npos) {
    return "has NUL bytes, as UTF-16 has them: save the file as UTF-8 or ASCII text";
  }
  if (secret.find('\n') != std::string_view::npos) {
    return "has a second line: it must hold the secret and nothing else, not even an empty line behind it";
  }
  return has_control_characters(secret) ? "has control characters, a TAB perhaps: remove them" : nullptr;
}

void warn_of_blanks(ngx_conf_t *cf, std::string_view secret, const ngx_str_t &path) noexcept {
  if (secret.front() == ' ' || secret.back() == ' ') {
    ngx_conf_log_error(
        NGX_LOG_WARN, cf, 0,
        "the secret in \"%V\" begins or ends with a blank, which is sent as a part of it: remove the blank, unless it "
        "belongs to the secret",
        &path);
  }
}

}  // namespace

bool read_secret(ngx_conf_t *cf, const FileLine &line, const ngx_str_t &path, ngx_str_t &secret) noexcept {
  constexpr size_t largest_file = largest_secret + sizeof("\r\n") - 1;
  auto *buffer = static_cast<u_char *>(ngx_pnalloc(cf->pool, largest_file + 1));
  std::string_view content;
  if (buffer == nullptr || !read_private_file(cf, line, path, buffer, largest_file + 1, content)) {
    return false;
  }
  secret = to_ngx_str(without_newline(content));
  if (const char *fault = find_fault(to_view(secret))) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\": the file \"%V\" of the secret %s",
                       &line.directive, &line.location, &path, fault);
    return false;
  }
  warn_of_blanks(cf, to_view(secret), path);
  return true;
}

}  // namespace gateway
