#include "challenge.h"

#include <algorithm>

#include "../jose/writer.h"

namespace oauth {

namespace {

/// Puts the words once each, with a space between them.
void put_words(jose::Writer &writer, jose::Strings words) noexcept {
  for (const std::string_view &word : words) {
    const bool named_before = std::find(words.begin(), &word, word) != &word;
    if (named_before) {
      continue;
    }
    if (&word != words.begin()) {
      writer.put(' ');
    }
    writer.put_escaped(word);
  }
}

/// Ends the parameter before, and begins the next one.
void put_name(jose::Writer &writer, std::string_view name) noexcept {
  writer.put("\", ");
  writer.put(name);
  writer.put("=\"");
}

void put_parameter(jose::Writer &writer, std::string_view name, std::string_view value) noexcept {
  if (!value.empty()) {
    put_name(writer, name);
    writer.put_escaped(value);
  }
}

void put_list(jose::Writer &writer, std::string_view name, jose::Strings words) noexcept {
  if (!words.empty()) {
    put_name(writer, name);
    put_words(writer, words);
  }
}

std::size_t write(char *out, const Challenge &challenge) noexcept {
  jose::Writer writer(out);
  if (challenge.scheme == Scheme::dpop) {
    writer.put("DPoP algs=\"");
    put_words(writer, challenge.algorithms);
    put_name(writer, "realm");
  } else {
    writer.put("Bearer realm=\"");
  }
  writer.put_escaped(challenge.realm);
  put_list(writer, "scope", challenge.scopes);
  put_parameter(writer, "error", challenge.error);
  put_list(writer, "acr_values", challenge.acr_values);
  put_parameter(writer, "max_age", challenge.max_age);
  put_parameter(writer, "resource_metadata", challenge.resource_metadata);
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
