#include "challenge.h"

#include <algorithm>

#include "../jose/writer.h"

namespace oauth {

namespace {

void put_scopes(jose::Writer &writer, jose::Strings scopes) noexcept {
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
  jose::Writer writer(out);
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
  if (!challenge.resource_metadata.empty()) {
    writer.put("\", resource_metadata=\"");
    writer.put_escaped(challenge.resource_metadata);
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
