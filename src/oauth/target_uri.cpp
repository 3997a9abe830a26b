#include "target_uri.h"

#include <algorithm>

#include "../jose/percent.h"
#include "http_url.h"

namespace oauth {
namespace {

/// A URI without query and fragment, in two parts.
struct Target {
  std::string_view origin;  ///< scheme, `://`, host and port
  std::string_view path;    ///< as it is, for nginx takes more in it than RFC 3986 allows
};

/// @param origin that parse_http_url() takes.
bool has_port(std::string_view origin) noexcept {
  const std::size_t last = origin.find_last_of(":]");
  return origin[last] == ':' && origin.substr(last, 3) != "://";
}

/// Takes the first character of a text, decoded where it is encoded (RFC 3986 section 2.1).
char take_decoded(std::string_view &text, bool &is_encoded) noexcept {
  const int byte = jose::percent_decode(text);
  is_encoded = byte >= 0;
  const char c = is_encoded ? static_cast<char>(byte) : text[0];
  text.remove_prefix(is_encoded ? jose::percent_encoded_size : 1);
  return c;
}

/// A server that decodes `%2F` and merges slashes before it removes dot segments, as nginx does, comes to another path
/// than RFC 3986 section 6.2.2: a proof for one would open the other.
bool is_ambiguous(std::string_view path) noexcept {
  bool has_dot_segment = false;
  bool has_odd_slash = false;
  std::size_t dots = 0;
  std::size_t others = 1;  // of the segment; as if one stood before the first slash
  while (!path.empty()) {
    bool is_encoded = false;
    const char c = take_decoded(path, is_encoded);
    const bool is_slash = c == '/';
    has_odd_slash |= is_slash && (is_encoded || dots + others == 0);
    dots += c == '.' ? 1 : 0;
    others += is_slash || c == '.' ? 0 : 1;
    if (is_slash || path.empty()) {
      has_dot_segment |= others == 0 && (dots == 1 || dots == 2);
      dots = 0;
      others = 0;
    }
  }
  return has_dot_segment && has_odd_slash;
}

bool split(std::string_view text, Target &target) noexcept {
  text = text.substr(0, text.find_first_of("?#"));
  const std::size_t authority = text.find("://");
  const std::size_t path = authority == std::string_view::npos ? authority : text.find('/', authority + 3);
  target.origin = text.substr(0, path);
  target.path = path == std::string_view::npos ? std::string_view() : text.substr(path);
  // RFC 3986 section 6.2.3: a port may be empty.
  const bool has_empty_port = !target.origin.empty() && target.origin.back() == ':';
  target.origin.remove_suffix(has_empty_port ? 1 : 0);
  HttpUrl url;
  return parse_http_url(target.origin, url) && url.path.empty() && !(has_empty_port && has_port(target.origin)) &&
         !is_ambiguous(target.path);
}

bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}

char to_lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c | 0x20) : c;
}

char to_upper(char c) noexcept {
  return is_lower(c) ? static_cast<char>(c & ~0x20) : c;
}

/// RFC 3986 sections 6.2.2.1 and 6.2.2.2: an encoded character that needs no encoding is decoded, and the digits of the
/// others are in upper case. What is no encoding stays.
/// @return the end of what was written, which is no longer than the text.
char *put_with_least_encoding(std::string_view text, char *out) noexcept {
  while (!text.empty()) {
    const std::string_view written = text;
    bool is_encoded = false;
    const char c = take_decoded(text, is_encoded);
    if (!is_encoded || is_unreserved(c)) {
      *out++ = c;
    } else {
      *out++ = '%';
      *out++ = to_upper(written[1]);
      *out++ = to_upper(written[2]);
    }
  }
  return out;
}

/// RFC 3986 sections 6.2.2.1 and 6.2.3: scheme and host in lower case, and no port that the scheme has anyway.
char *put_origin(std::string_view origin, char *out) noexcept {
  char *const begin = out;
  out = put_with_least_encoding(origin, out);
  std::transform(begin, out, begin, to_lower);
  const std::string_view written(begin, static_cast<std::size_t>(out - begin));
  const std::size_t scheme = written.find("://");
  const std::string_view default_port = written.substr(0, scheme) == "https" ? ":443" : ":80";
  const bool has_default_port =
      written.size() > default_port.size() && written.substr(written.size() - default_port.size()) == default_port;
  return has_default_port ? out - default_port.size() : out;
}

/// @return whether the text begins with a whole segment of this name.
bool begins_with_segment(std::string_view text, std::string_view segment) noexcept {
  return text.substr(0, segment.size()) == segment && (text.size() == segment.size() || text[segment.size()] == '/');
}

/// RFC 3986 section 5.2.4, in place.
/// @param begin of a path that is empty or begins with `/`.
/// @return its new end.
char *remove_dot_segments(char *begin, const char *end) noexcept {
  std::string_view rest(begin, static_cast<std::size_t>(end - begin));
  char *out = begin;
  while (!rest.empty()) {
    const bool is_up = begins_with_segment(rest, "/..");
    if (is_up || begins_with_segment(rest, "/.")) {
      rest.remove_prefix(is_up ? 3 : 2);
      if (is_up) {
        const std::size_t slash = std::string_view(begin, static_cast<std::size_t>(out - begin)).rfind('/');
        out = slash == std::string_view::npos ? begin : begin + slash;
      }
      if (rest.empty()) {
        *out++ = '/';
      }
      continue;
    }
    const std::string_view segment = rest.substr(0, rest.find('/', 1));
    for (const char c : segment) {
      *out++ = c;
    }
    rest.remove_prefix(segment.size());
  }
  return out;
}

/// @return false where there is no memory.
bool normalize(const Target &target, jose::Memory &memory, std::string_view &normalized) noexcept {
  auto *text = static_cast<char *>(memory.allocate(target.origin.size() + target.path.size() + 1));
  if (text == nullptr) {
    return false;
  }
  char *path = put_origin(target.origin, text);
  char *end = remove_dot_segments(path, put_with_least_encoding(target.path, path));
  if (end == path) {
    *end++ = '/';
  }
  normalized = {text, static_cast<std::size_t>(end - text)};
  return true;
}

}  // namespace

bool is_target_uri(std::string_view text) noexcept {
  Target target;
  return split(text, target);
}

bool is_same_target(std::string_view one, std::string_view other, jose::Memory &memory) noexcept {
  Target first;
  Target second;
  if (!split(one, first) || !split(other, second)) {
    return false;
  }
  if (first.origin == second.origin && first.path == second.path) {
    return true;
  }
  std::string_view first_normalized;
  std::string_view second_normalized;
  return normalize(first, memory, first_normalized) && normalize(second, memory, second_normalized) &&
         first_normalized == second_normalized;
}

}  // namespace oauth
