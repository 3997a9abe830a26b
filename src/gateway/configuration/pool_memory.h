#pragma once

#include "../../jose/memory.h"
#include "module_configuration.h"

namespace gateway {

/// jose::Memory over an nginx pool, which frees it.
class PoolMemory final : public jose::Memory {
 public:
  explicit PoolMemory(ngx_pool_t *pool) noexcept : pool_(pool) {}

  void *allocate(std::size_t size) noexcept override {
    void *place = ngx_palloc(pool_, size);
    ran_out_ = ran_out_ || place == nullptr;
    return place;
  }

  /// @return whether an allocation has failed. Then it is not the text's fault if a reader has refused it.
  bool ran_out() const noexcept { return ran_out_; }

 private:
  ngx_pool_t *pool_;
  bool ran_out_ = false;
};

}  // namespace gateway
