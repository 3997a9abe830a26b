#pragma once

#include <atomic>

namespace gateway {

/// Keeps the compiler from moving stores to shared memory over this point. A killed process has made its stores in
/// their order, so that the next one sees what it has done.
inline void keep_order() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace gateway
