#pragma once

#include "revocation_zone.h"

namespace gateway {

constexpr int state_file_mode = 0600;

inline const char *path_of(const RevocationZone &zone) noexcept {
  return reinterpret_cast<const char *>(zone.state_file.data);
}

/// @return false where not all could be written.
bool write_all(ngx_fd_t fd, const char *text, std::size_t size) noexcept;

/// The state file of a zone, open and locked (flock) as long as this lives: who appends, reads or replaces it is alone
/// with it. A zone without one is like a file that takes everything.
class StateFile {
 public:
  /// Workers open it anew each time: a reload replaces it.
  /// @param flags of open(), beside O_CLOEXEC.
  StateFile(const RevocationZone &zone, int flags) noexcept;
  ~StateFile();
  StateFile(const StateFile &) = delete;
  StateFile &operator=(const StateFile &) = delete;
  StateFile(StateFile &&) = delete;
  StateFile &operator=(StateFile &&) = delete;

  bool is_open() const noexcept { return fd_ != NGX_INVALID_FILE; }
  ngx_fd_t fd() const noexcept { return fd_; }

  /// @return what has failed last.
  ngx_err_t error() const noexcept { return error_; }

  /// Appends lines. None of them stays in the file where not all could be written.
  bool append(const char *lines, std::size_t size) noexcept;

 private:
  bool open(int flags) noexcept;
  bool is_what_the_path_leads_to() noexcept;
  bool cut_off_broken_line(off_t &size) const noexcept;

  const RevocationZone &zone_;
  ngx_fd_t fd_ = NGX_INVALID_FILE;
  ngx_err_t error_ = 0;
};

}  // namespace gateway
