#pragma once

#include "revocation_zone.h"

namespace gateway {

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

/// Reads the file into the zone and writes it anew with what is alive; in the master process, or under `nginx -t`,
/// which only reads. Logs what is wrong.
/// @return NGX_OK, or NGX_ERROR: nginx must not start.
ngx_int_t load_state_file(RevocationZone &zone) noexcept;

/// Takes what others have written since: workers of another nginx, such as one that is replacing this one.
void follow_state_file(RevocationZone &zone) noexcept;

}  // namespace gateway
