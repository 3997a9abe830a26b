#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "../../checked_memory.h"
#include "nginx/nginx.h"

/// What stands in nginx's place under the units of src/nginx and src/gateway: nginx's own headers, and behind them the
/// few functions that these units call. Debian's nginx-dev has no sources that could be compiled in.
namespace nginx_stub {

/// A pool in which each allocation is a block of its own, and fails where the test says.
class Pool : public ngx_pool_t {
 public:
  /// @param allowed allocations that succeed; all later ones fail.
  explicit Pool(std::size_t allowed = SIZE_MAX) noexcept : ngx_pool_t(), memory(allowed) {}

  std::size_t allocations() const noexcept { return memory.allocations(); }

  jose::TestMemory memory;
};

/// A zone of shared memory without two free pages side by side. Each chunk is a block of its own, full of garbage.
class Zone : public ngx_slab_pool_t {
 public:
  /// @param allowed as Pool has it.
  explicit Zone(std::size_t allowed = SIZE_MAX) noexcept : ngx_slab_pool_t(), allowed_(allowed) {}

  void *allocate(std::size_t size);
  void free(void *chunk);

  /// Of all chunks that there have been, the freed ones among them, in the order of their allocation.
  const std::vector<std::size_t> &sizes() const noexcept { return sizes_; }
  std::size_t unfreed() const noexcept { return chunks_.size(); }

 private:
  std::size_t allowed_;
  std::vector<std::size_t> sizes_;
  std::map<void *, std::unique_ptr<char[]>> chunks_;
};

/// Allocations by ngx_alloc() and ngx_calloc() that succeed from now on.
void allow_heap_allocations(std::size_t count) noexcept;

/// The rows of ngx_http_headers_in, as ngx_http_request.c has them; the last one stands for headers without a field.
enum KnownHeader : std::size_t { known_host, known_authorization, known_cookie, known_without_field };

}  // namespace nginx_stub
