#include "state_file.h"

#include <sys/file.h>

#include <algorithm>
#include <string_view>

#include "revocation_line.h"

namespace gateway {
namespace {

/// Others of ours have the lock for some microseconds, or for as long as it takes to write the file anew. Whoever else
/// has it must not stop a worker.
bool lock(ngx_fd_t fd) noexcept {
  constexpr int most_attempts = 200;
  int attempts = 0;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (ngx_errno != NGX_EAGAIN || ++attempts == most_attempts) {
      return false;
    }
    ngx_msleep(1);
  }
  return true;
}

}  // namespace

bool write_all(ngx_fd_t fd, const char *text, std::size_t size) noexcept {
  while (size != 0) {
    const ssize_t written = write(fd, text, size);
    if (written <= 0) {
      return false;
    }
    text += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

StateFile::StateFile(const RevocationZone &zone, int flags) noexcept : zone_(zone) {
  if (zone.state_file.len == 0) {
    return;
  }
  // Another process may put another file in its place before the lock is there.
  do {
    if (!open(flags)) {
      return;
    }
  } while (!is_what_the_path_leads_to());
}

StateFile::~StateFile() {
  if (is_open()) {
    (void)ngx_close_file(fd_);
  }
}

bool StateFile::open(int flags) noexcept {
  if (is_open()) {
    (void)ngx_close_file(fd_);
  }
  // Not blocking: a pipe has perhaps no other end.
  fd_ = ::open(path_of(zone_), flags | O_CLOEXEC | O_NONBLOCK, state_file_mode);
  if (is_open() && lock(fd_)) {
    return true;
  }
  error_ = ngx_errno;
  if (is_open()) {
    (void)ngx_close_file(fd_);
    fd_ = NGX_INVALID_FILE;
  }
  return false;
}

bool StateFile::is_what_the_path_leads_to() noexcept {
  ngx_file_info_t opened;
  ngx_file_info_t named;
  return ngx_fd_info(fd_, &opened) != NGX_FILE_ERROR && ngx_file_info(path_of(zone_), &named) != NGX_FILE_ERROR &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// What a write leaves behind that found no room, and could not take it back.
bool StateFile::cut_off_broken_line(off_t &size) const noexcept {
  char tail[longest_revocation_line];
  const off_t begin = std::max<off_t>(size - static_cast<off_t>(sizeof(tail)), 0);
  const auto length = static_cast<std::size_t>(size - begin);
  if (pread(fd_, tail, length, begin) != static_cast<ssize_t>(length)) {
    return false;
  }
  const std::size_t end = std::string_view(tail, length).rfind('\n');
  const off_t whole = end == std::string_view::npos ? begin : begin + static_cast<off_t>(end) + 1;
  if (whole == size) {
    return true;
  }
  size = whole;
  // More than a line without an end was not written here.
  return (end != std::string_view::npos || begin == 0) && ftruncate(fd_, whole) == 0;
}

bool StateFile::append(const char *lines, std::size_t size) noexcept {
  if (zone_.state_file.len == 0) {
    return true;
  }
  ngx_file_info_t info;
  if (!is_open() || ngx_fd_info(fd_, &info) == NGX_FILE_ERROR) {
    return false;
  }
  off_t before = info.st_size;
  if (cut_off_broken_line(before) && write_all(fd_, lines, size)) {
    return true;
  }
  error_ = ngx_errno;
  // What is left behind where this fails too, the next append cuts off.
  [[maybe_unused]] const int result = ftruncate(fd_, before);
  return false;
}

}  // namespace gateway
