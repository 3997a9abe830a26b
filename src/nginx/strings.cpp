#include "strings.h"

#include <algorithm>

namespace nginx {

ngx_str_t copy(ngx_pool_t *pool, std::string_view view) noexcept {
  auto *data = static_cast<u_char *>(ngx_pnalloc(pool, view.size() + 1));
  if (data == nullptr) {
    return ngx_null_string;
  }
  view.copy(reinterpret_cast<char *>(data), view.size());
  data[view.size()] = '\0';
  return {view.size(), data};
}

bool has_control_characters(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

ngx_str_t printable(ngx_pool_t *pool, std::string_view text) noexcept {
  constexpr std::size_t longest = 200;
  const ngx_str_t shown = copy(pool, text.substr(0, longest));
  std::replace_if(
      shown.data, shown.data + shown.len, [](u_char c) { return c < 0x20 || c > 0x7e; }, '.');
  return shown;
}

bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept {
  return one.size() == other.size() && ngx_strncasecmp(to_ngx_str(one).data, to_ngx_str(other).data, one.size()) == 0;
}

}  // namespace nginx
