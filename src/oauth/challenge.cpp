#include "challenge.h"

#include <algorithm>

namespace oauth {

namespace {

/// Counts what is put, and writes it where there is room.
class Writer {
 public:
  explicit Writer(char *out) noexcept : out_(out) {}

  std::size_t size() const noexcept { return size_; }

  void put(char c) noexcept {
    if (out_ != nullptr) {
      out_[size_] = c;
    }
    ++size_;
  }

  void put(std::string_view text) noexcept {
    for (const char c : text) {
      put(c);
    }
  }

  // The inside of a quoted-string (RFC 9110 section 5.6.4).
  void put_escaped(std::string_view text) noexcept {
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        put('\\');
      }
      put(c);
    }
  }

 private:
  char *out_;
  std::size_t size_ = 0;
};

void put_scopes(Writer &writer, Strings scopes) noexcept {
  for (const std::string_view &scope : scopes) {
    const bool named_before = std::find(scopes.begin(), &scope, scope) != &scope;
    if (named_before) {
      continue;
    }
    if (&scope != scopes.begin()) {
      writer.put(' ');
    }
    writer.put_escaped(scope);
  }
}

std::size_t write(char *out, const Challenge &challenge) noexcept {
  Writer writer(out);
  writer.put("Bearer realm=\"");
  writer.put_escaped(challenge.realm);
  if (!challenge.scopes.empty()) {
    writer.put("\", scope=\"");
    put_scopes(writer, challenge.scopes);
  }
  if (!challenge.error.empty()) {
    writer.put("\", error=\"");
    writer.put_escaped(challenge.error);
  }
  writer.put('"');
  return writer.size();
}

}  // namespace

std::size_t challenge_size(const Challenge &challenge) noexcept {
  return write(nullptr, challenge);
}

char *write_challenge(char *out, const Challenge &challenge) noexcept {
  return out + write(out, challenge);
}

}  // namespace oauth
