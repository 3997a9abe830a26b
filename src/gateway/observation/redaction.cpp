#include "redaction.h"

#include <algorithm>

#include "../../nginx/strings.h"
#include "../../oauth/form.h"
#include "../configuration/pool_memory.h"

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

std::string_view redact(ngx_pool_t *pool, std::string_view text,
                        std::initializer_list<std::string_view> secrets) noexcept {
  const ngx_str_t redacted = copy(pool, text);
  if (redacted.data == nullptr) {
    return {};
  }
  char *begin = reinterpret_cast<char *>(redacted.data);
  char *end = begin + redacted.len;
  PoolMemory memory(pool);
  for (const std::string_view secret : secrets) {
    std::string_view sent;
    if (!jose::write_text(
            memory, [&](jose::Writer &writer) { oauth::put_form_encoded(writer, secret); }, sent)) {
      return {};
    }
    blot_out(begin, end, secret);
    blot_out(begin, end, sent);
  }
  return to_view(redacted);
}

}  // namespace gateway
