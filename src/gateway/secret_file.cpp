#include "secret_file.h"

namespace gateway {
namespace {

constexpr size_t largest_secret = 4096;

class File {
 public:
  explicit File(const ngx_str_t &path) noexcept
      : descriptor_(ngx_open_file(path.data, NGX_FILE_RDONLY | NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0)) {}
  ~File() {
    if (is_open()) {
      ngx_close_file(descriptor_);
    }
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;

  bool is_open() const noexcept { return descriptor_ != NGX_INVALID_FILE; }
  ngx_fd_t descriptor() const noexcept { return descriptor_; }

 private:
  ngx_fd_t descriptor_;
};

/// A pipe could keep nginx waiting, also in a reload.
bool is_regular(const File &file) noexcept {
  ngx_file_info_t info;
  return ngx_fd_info(file.descriptor(), &info) != NGX_FILE_ERROR && ngx_is_file(&info);
}

void warn_of_readers(ngx_conf_t *cf, const File &file, const ngx_str_t &path) noexcept {
  ngx_file_info_t info;
  if (ngx_fd_info(file.descriptor(), &info) != NGX_FILE_ERROR && (info.st_mode & S_IROTH) != 0) {
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "the secret in \"%V\" can be read by everybody: set its mode to 600",
                       &path);
  }
}

ssize_t read_all(const File &file, u_char *buffer, size_t size) noexcept {
  size_t length = 0;
  while (length < size) {
    const ssize_t n = ngx_read_fd(file.descriptor(), buffer + length, size - length);
    if (n < 0) {
      return n;
    }
    if (n == 0) {
      break;
    }
    length += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(length);
}

size_t without_newline(const u_char *text, size_t length) noexcept {
  if (length > 0 && text[length - 1] == '\n') {
    length--;
    if (length > 0 && text[length - 1] == '\r') {
      length--;
    }
  }
  return length;
}

}  // namespace

bool read_secret(ngx_conf_t *cf, const SecretLine &line, const ngx_str_t &path, ngx_str_t &secret) noexcept {
  const File file(path);
  constexpr size_t largest_file = largest_secret + sizeof("\r\n") - 1;
  auto *buffer = static_cast<u_char *>(ngx_pnalloc(cf->pool, largest_file + 1));
  if (buffer == nullptr) {
    return false;
  }
  if (file.is_open() && !is_regular(file)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\": the secret in \"%V\" cannot be read: it is no regular file",
                       &line.directive, &line.location, &path);
    return false;
  }
  const ssize_t length = file.is_open() ? read_all(file, buffer, largest_file + 1) : -1;
  if (length < 0) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"%V\" of location \"%V\": the secret in \"%V\" cannot be read",
                       &line.directive, &line.location, &path);
    return false;
  }
  warn_of_readers(cf, file, path);
  secret = {without_newline(buffer, static_cast<size_t>(length)), buffer};
  if (secret.len == 0 || secret.len > largest_secret) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\": the file \"%V\" must hold a secret of 1 to %uz bytes",
                       &line.directive, &line.location, &path, largest_secret);
    return false;
  }
  return true;
}

}  // namespace gateway
