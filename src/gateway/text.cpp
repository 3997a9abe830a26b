#include "text.h"

#include <algorithm>

namespace gateway {

ngx_str_t copy(ngx_pool_t *pool, std::string_view view) noexcept {
  auto *data = static_cast<u_char *>(ngx_pnalloc(pool, view.size() + 1));
  if (data == nullptr) {
    return ngx_null_string;
  }
  ngx_memcpy(data, view.data(), view.size());
  data[view.size()] = '\0';
  return {view.size(), data};
}

bool has_control_characters(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace gateway
