#include "complex_value.h"

#include <algorithm>

namespace nginx {
namespace {

#if (NGX_PCRE)

/// What the groups of the last regex have captured: $1 and so on.
class KeptCaptures {
 public:
  explicit KeptCaptures(ngx_http_request_t *r) noexcept
      : r_(r),
        captures_(r->captures),
        count_(r->ncaptures),
        data_(r->captures_data),
        is_shared_(r->realloc_captures != 0) {
    r->realloc_captures = 1;  // the next regex has an array of its own
  }
  ~KeptCaptures() {
    r_->captures = captures_;
    r_->ncaptures = count_;
    r_->captures_data = data_;
    r_->realloc_captures = is_shared_ ? 1 : 0;
  }
  KeptCaptures(const KeptCaptures &) = delete;
  KeptCaptures &operator=(const KeptCaptures &) = delete;

 private:
  ngx_http_request_t *r_;
  int *captures_;
  ngx_uint_t count_;
  u_char *data_;
  bool is_shared_;
};

#else

class KeptCaptures {
 public:
  explicit KeptCaptures(ngx_http_request_t * /*r*/) noexcept {}
};

#endif

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// @return the size of the variable that the text begins with, as ngx_http_script_compile() reads it; 0 for none.
std::size_t variable_size(std::string_view text) noexcept {
  if (text.empty() || text.front() != '$') {
    return 0;
  }
  const bool has_braces = text.size() > 1 && text[1] == '{';
  const std::string_view name = text.substr(has_braces ? 2 : 1);
  const auto end = std::find_if_not(name.begin(), name.end(), is_name_character);
  return static_cast<std::size_t>(end - name.begin()) + (has_braces ? 3 : 1);
}

}  // namespace

bool evaluate(ngx_http_request_t *r, ngx_http_complex_value_t &value, ngx_str_t &text) noexcept {
  const KeptCaptures kept(r);
  return ngx_http_complex_value(r, &value, &text) == NGX_OK;
}

bool has_literal_text(std::string_view text) noexcept {
  if (text.empty()) {
    return true;
  }
  while (!text.empty()) {
    const std::size_t size = variable_size(text);
    if (size == 0) {
      return true;
    }
    text.remove_prefix(std::min(size, text.size()));
  }
  return false;
}

}  // namespace nginx
