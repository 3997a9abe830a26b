#include "text.h"

#include <algorithm>

#include "../jose/writer.h"
#include "../oauth/form.h"
#include "pool_memory.h"

namespace gateway {
namespace {

void blot_out(char *begin, char *end, std::string_view secret) noexcept {
  if (secret.empty()) {
    return;
  }
  for (char *found = std::search(begin, end, secret.begin(), secret.end()); found != end;
       found = std::search(found, end, secret.begin(), secret.end())) {
    found = std::fill_n(found, secret.size(), '*');
  }
}

}  // namespace

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

ngx_str_t printable(ngx_pool_t *pool, std::string_view text, std::initializer_list<std::string_view> secrets) noexcept {
  constexpr std::size_t longest = 200;
  const ngx_str_t whole = copy(pool, text);
  if (whole.data == nullptr) {
    return ngx_null_string;
  }
  char *begin = reinterpret_cast<char *>(whole.data);
  char *end = begin + whole.len;
  // Before the text is cut, or a part of a secret could stay at its end.
  PoolMemory memory(pool);
  for (const std::string_view secret : secrets) {
    std::string_view sent;
    if (!jose::write_text(
            memory, [&](jose::Writer &writer) { oauth::put_form_encoded(writer, secret); }, sent)) {
      return ngx_null_string;
    }
    blot_out(begin, end, secret);
    blot_out(begin, end, sent);
  }
  std::replace_if(
      begin, end, [](char c) { return c < 0x20 || c > 0x7e; }, '.');
  return {std::min(whole.len, longest), whole.data};
}

}  // namespace gateway
