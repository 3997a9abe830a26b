#include "revocation_file.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "../../nginx/strings.h"
#include "keep_order.h"
#include "revocation_line.h"
#include "state_file.h"

namespace gateway {
namespace {

constexpr std::size_t block_size = std::size_t{64} * 1024;

struct FreeBlock {
  void operator()(void *block) const noexcept { ngx_free(block); }
};

using Block = std::unique_ptr<char, FreeBlock>;

Block allocate(std::size_t size) noexcept {
  return Block(static_cast<char *>(ngx_alloc(size, ngx_cycle->log)));
}

/// How far the file has been read, and what stood in the way.
struct Reading {
  enum class End : std::uint8_t { whole, no_memory, failed, full };

  End end = End::whole;
  off_t offset = 0;
  ngx_uint_t line = 1;               ///< the next one, since the reading began
  ngx_uint_t first_broken_line = 0;  ///< 0: none
  ngx_uint_t last_broken_line = 0;
  bool is_within_line = false;  ///< of more than a block
  bool has_rest = false;        ///< the last line has no end

  /// @return whether one is broken that is not the last.
  bool has_broken_line() const noexcept {
    return first_broken_line != 0 &&
           (has_rest || first_broken_line != last_broken_line || first_broken_line + 1 != line);
  }
};

bool is_read_to_end(const ExpiringTable &table, const ngx_file_info_t &info) noexcept {
  return table.file_device == static_cast<std::uint64_t>(info.st_dev) &&
         table.file_inode == static_cast<std::uint64_t>(info.st_ino) && table.file_offset == info.st_size;
}

/// @return where to go on reading: at the begin where this is another file, or has become shorter.
off_t offset_in(const ExpiringTable &table, const ngx_file_info_t &info) noexcept {
  const bool is_known = table.file_device == static_cast<std::uint64_t>(info.st_dev) &&
                        table.file_inode == static_cast<std::uint64_t>(info.st_ino) &&
                        table.file_offset <= info.st_size;
  return is_known ? static_cast<off_t>(table.file_offset) : 0;
}

/// A worker that is killed here leaves no offset of another file behind.
void note_offset(ExpiringTable &table, const ngx_file_info_t &info, off_t offset) noexcept {
  table.file_offset = 0;
  keep_order();
  table.file_device = static_cast<std::uint64_t>(info.st_dev);
  table.file_inode = static_cast<std::uint64_t>(info.st_ino);
  keep_order();
  table.file_offset = offset;
}

/// Takes one line, without its end, into the zone.
/// @return false where there is no room.
bool take_line(const RevocationZone &zone, std::string_view line, Moment now, Reading &reading) noexcept {
  ExpiringRecord record;
  if (!read_revocation_line(line, record)) {
    reading.last_broken_line = reading.line;
    reading.first_broken_line = reading.first_broken_line == 0 ? reading.line : reading.first_broken_line;
  } else if (record.end > now.wall && add_record(*zone.table, record, now) == Added::full) {
    reading.end = Reading::End::full;
    return false;
  }
  reading.line++;
  return true;
}

/// Takes the whole lines of a block into the zone.
/// @return how many bytes they are.
std::size_t take_lines(const RevocationZone &zone, std::string_view block, Reading &reading) noexcept {
  const Moment now = current_moment();
  const TableLock lock(zone);
  std::size_t taken = 0;
  for (std::size_t end = block.find('\n'); end != std::string_view::npos; end = block.find('\n', taken)) {
    // The rest of a line that did not fit into one block is no line that could be read.
    const bool is_rest = std::exchange(reading.is_within_line, false);
    if (!take_line(zone, is_rest ? std::string_view() : block.substr(taken, end - taken), now, reading)) {
      return taken;
    }
    taken = end + 1;
  }
  return taken;
}

/// Reads from the offset on, to the file's end.
void read_lines(const RevocationZone &zone, ngx_fd_t fd, Reading &reading) noexcept {
  const Block block = allocate(block_size);
  if (block == nullptr) {
    reading.end = Reading::End::no_memory;
    return;
  }
  for (;;) {
    const ssize_t size = pread(fd, block.get(), block_size, reading.offset);
    if (size < 0) {
      reading.end = Reading::End::failed;
      return;
    }
    const std::string_view bytes(block.get(), static_cast<std::size_t>(size));
    std::size_t taken = take_lines(zone, bytes, reading);
    if (taken == 0 && bytes.size() == block_size && reading.end == Reading::End::whole) {
      reading.is_within_line = true;
      taken = block_size;
    }
    reading.offset += static_cast<off_t>(taken);
    if (taken == 0 || reading.end != Reading::End::whole) {
      reading.has_rest = size != 0 || reading.is_within_line;
      return;
    }
  }
}

/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t check_reading(const RevocationZone &zone, const Reading &reading) noexcept {
  ngx_log_t *log = zone.cycle->log;
  const ngx_str_t &path = zone.state_file;
  const phantom_token_position_t &at = zone.declared_at;
  if (reading.has_broken_line()) {
    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "the state file \"%V\" of \"phantom_token_revocation\" is broken in line %ui: remove that line, or "
                  "move the file away, which forgets all that is revoked, in %V:%ui",
                  &path, reading.first_broken_line, &at.file, at.line);
    return NGX_ERROR;
  }
  if (reading.end == Reading::End::full) {
    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "the state file \"%V\" of \"phantom_token_revocation\" holds more than its zone has room for: make "
                  "the zone larger in %V:%ui",
                  &path, &at.file, at.line);
    return NGX_ERROR;
  }
  if (reading.end != Reading::End::whole) {
    ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                  "the state file \"%V\" of \"phantom_token_revocation\" cannot be read in %V:%ui", &path, &at.file,
                  at.line);
    return NGX_ERROR;
  }
  if (reading.has_rest || reading.first_broken_line != 0) {
    ngx_log_error(
        NGX_LOG_WARN, log, 0,
        "the state file \"%V\" of \"phantom_token_revocation\" ends with a broken line: that line is left out in "
        "%V:%ui",
        &path, &at.file, at.line);
  }
  return NGX_OK;
}

/// What is alive in the zone, as lines.
struct Lines {
  Block text;
  std::size_t size = 0;
};

bool write_living(const RevocationZone &zone, Lines &lines) noexcept {
  const Moment now = current_moment();
  const TableLock lock(zone);
  std::size_t count = 0;
  for_each_record(*zone.table, now, [&count](const ExpiringRecord & /*record*/) { ++count; });
  lines.text = allocate(count * longest_revocation_line + 1);
  if (lines.text == nullptr) {
    return false;
  }
  for_each_record(*zone.table, now, [&lines](const ExpiringRecord &record) {
    lines.size += write_revocation_line(record, lines.text.get() + lines.size);
  });
  return true;
}

/// Workers append, and the master process runs as root.
bool give_to_workers(const RevocationZone &zone, ngx_fd_t fd) noexcept {
  const auto *core = reinterpret_cast<const ngx_core_conf_t *>(ngx_get_conf(zone.cycle->conf_ctx, ngx_core_module));
  return geteuid() != 0 || fchown(fd, core->user, core->group) == 0;
}

/// Writes a new file beside the old one. It is on the disk before it takes the old one's place, so that none of them is
/// lost where the machine stops.
bool write_file(const RevocationZone &zone, const char *path, const Lines &lines) noexcept {
  (void)ngx_delete_file(path);
  const ngx_fd_t fd = ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, state_file_mode);
  if (fd == NGX_INVALID_FILE) {
    return false;
  }
  ngx_file_info_t info;
  const bool is_good = write_all(fd, lines.text.get(), lines.size) && give_to_workers(zone, fd) && fsync(fd) == 0 &&
                       ngx_fd_info(fd, &info) != NGX_FILE_ERROR && ngx_rename_file(path, path_of(zone)) == 0;
  if (is_good) {
    const TableLock lock(zone);
    note_offset(*zone.table, info, info.st_size);
  }
  (void)ngx_close_file(fd);
  return is_good;
}

/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t compact(const RevocationZone &zone) noexcept {
  constexpr std::string_view suffix = ".new";
  const std::size_t path_size = zone.state_file.len + suffix.size() + 1;
  const Block path = allocate(path_size);
  Lines lines;
  if (path == nullptr || !write_living(zone, lines)) {
    return NGX_ERROR;
  }
  const std::string_view name = to_view(zone.state_file);
  name.copy(path.get(), name.size());
  suffix.copy(path.get() + name.size(), suffix.size());
  path.get()[path_size - 1] = '\0';
  if (write_file(zone, path.get(), lines)) {
    return NGX_OK;
  }
  ngx_log_error(NGX_LOG_EMERG, zone.cycle->log, ngx_errno,
                "the state file \"%V\" of \"phantom_token_revocation\" cannot be written anew as \"%s\" in %V:%ui",
                &zone.state_file, path.get(), &zone.declared_at.file, zone.declared_at.line);
  return NGX_ERROR;
}

/// @return NGX_OK, or NGX_ERROR, which has been logged.
ngx_int_t read_file(const RevocationZone &zone, const StateFile &file) noexcept {
  ngx_file_info_t info;
  if (ngx_fd_info(file.fd(), &info) == NGX_FILE_ERROR) {
    return check_reading(zone, {Reading::End::failed});
  }
  Reading reading;
  reading.offset = offset_in(*zone.table, info);
  read_lines(zone, file.fd(), reading);
  return check_reading(zone, reading);
}

/// Once a minute: workers try each second.
void complain(RevocationZone &zone, const char *problem, ngx_err_t error) noexcept {
  constexpr time_t interval = 60;
  const time_t now = ngx_time();
  if (zone.complained != 0 && now - zone.complained >= 0 && now - zone.complained < interval) {
    return;
  }
  zone.complained = now;
  ngx_log_error(
      NGX_LOG_ERR, zone.cycle->log, error,
      "phantom token: the state file \"%V\" of \"phantom_token_revocation\" %s: what another nginx revokes is "
      "not in force here",
      &zone.state_file, problem);
}

/// @return false, which has been logged, for what could not be replaced by a file, such as a pipe.
bool is_regular(const RevocationZone &zone, const StateFile &file) noexcept {
  ngx_file_info_t info;
  if (ngx_fd_info(file.fd(), &info) != NGX_FILE_ERROR && ngx_is_file(&info)) {
    return true;
  }
  ngx_log_error(NGX_LOG_EMERG, zone.cycle->log, 0,
                "the state file \"%V\" of \"phantom_token_revocation\" is no regular file in %V:%ui", &zone.state_file,
                &zone.declared_at.file, zone.declared_at.line);
  return false;
}

/// @return whether nginx would make the file at its start.
bool is_in_writable_folder(const ngx_str_t &path) noexcept {
  const std::string_view name = to_view(path);
  const std::size_t size = name.rfind('/') + 1;  // nginx has made it absolute
  const Block folder = allocate(size + 1);
  if (folder == nullptr) {
    return false;
  }
  name.copy(folder.get(), size);
  folder.get()[size] = '\0';
  return access(folder.get(), W_OK | X_OK) == 0;
}

}  // namespace

ngx_int_t load_state_file(RevocationZone &zone) noexcept {
  if (zone.state_file.len == 0) {
    return NGX_OK;
  }
  const bool only_reads = ngx_test_config != 0;
  const StateFile file(zone, only_reads ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND);
  if (!file.is_open()) {
    if (only_reads && file.error() == NGX_ENOENT && is_in_writable_folder(zone.state_file)) {
      return NGX_OK;
    }
    ngx_log_error(NGX_LOG_EMERG, zone.cycle->log, file.error(),
                  "the state file \"%V\" of \"phantom_token_revocation\" cannot be opened in %V:%ui", &zone.state_file,
                  &zone.declared_at.file, zone.declared_at.line);
    return NGX_ERROR;
  }
  if (!is_regular(zone, file) || read_file(zone, file) != NGX_OK) {
    return NGX_ERROR;
  }
  return only_reads ? NGX_OK : compact(zone);
}

void follow_state_file(RevocationZone &zone) noexcept {
  ngx_file_info_t info;
  if (ngx_file_info(path_of(zone), &info) == NGX_FILE_ERROR) {
    complain(zone, "cannot be found", ngx_errno);
    return;
  }
  if (is_read_to_end(*zone.table, info)) {
    return;
  }
  const StateFile file(zone, O_RDONLY);
  if (!file.is_open() || ngx_fd_info(file.fd(), &info) == NGX_FILE_ERROR) {
    complain(zone, "cannot be opened", file.error());
    return;
  }
  Reading reading;
  reading.offset = offset_in(*zone.table, info);
  read_lines(zone, file.fd(), reading);
  if (reading.end == Reading::End::full) {
    complain(zone, "holds more than the zone has room for", 0);
  } else if (reading.end != Reading::End::whole || reading.first_broken_line != 0) {
    complain(zone, "cannot be read, or has a broken line", 0);
  }
  const TableLock lock(zone);
  note_offset(*zone.table, info, reading.offset);
}

}  // namespace gateway
