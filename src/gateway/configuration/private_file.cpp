#include "private_file.h"

#include "../../nginx/strings.h"

namespace gateway {
namespace {

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

/// Reading a pipe could keep nginx waiting, at its start and in each reload.
bool is_regular(const File &file) noexcept {
  ngx_file_info_t info;
  return ngx_fd_info(file.descriptor(), &info) != NGX_FILE_ERROR && ngx_is_file(&info);
}

void warn_of_readers(ngx_conf_t *cf, const File &file, const char *what, const ngx_str_t &path) noexcept {
  ngx_file_info_t info;
  if (ngx_fd_info(file.descriptor(), &info) != NGX_FILE_ERROR && (info.st_mode & S_IROTH) != 0) {
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "the %s in \"%V\" can be read by everybody: set its mode to 600", what,
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

}  // namespace

bool read_private_file(ngx_conf_t *cf, const FileLine &line, const ngx_str_t &path, u_char *buffer, size_t size,
                       std::string_view &content) noexcept {
  const File file(path);
  if (file.is_open() && !is_regular(file)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of location \"%V\": the %s in \"%V\" cannot be read: it is no regular file",
                       &line.directive, &line.location, line.what, &path);
    return false;
  }
  const ssize_t length = file.is_open() ? read_all(file, buffer, size) : -1;
  if (length < 0) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"%V\" of location \"%V\": the %s in \"%V\" cannot be read",
                       &line.directive, &line.location, line.what, &path);
    return false;
  }
  warn_of_readers(cf, file, line.what, path);
  content = to_view({static_cast<size_t>(length), buffer});
  return true;
}

}  // namespace gateway
