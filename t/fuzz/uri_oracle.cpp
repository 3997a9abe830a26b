#include "uri_oracle.h"

#include <algorithm>
#include <cctype>

namespace fuzz {
namespace {

bool is_unreserved(unsigned char c) {
  return c < 0x80 && (std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~');
}

/// Decodes what needs no encoding, and writes the other encodings in upper case.
std::string decode_unreserved(const std::string &text) {
  static const std::string digits = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_digit = [&text](std::size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] != '%' || !is_digit(i + 1) || !is_digit(i + 2)) {
      out += text[i];
      continue;
    }
    const auto byte = static_cast<unsigned char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    if (is_unreserved(byte)) {
      out += static_cast<char>(byte);
    } else {
      out += {'%', digits[byte / 16], digits[byte % 16]};
    }
    i += 2;
  }
  return out;
}

std::string to_lower(std::string text) {
  for (char &c : text) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

/// The segments of a path behind its first `/`, with dots resolved.
std::vector<std::string> resolve(const std::string &path) {
  std::vector<std::string> segments;
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string segment = path.substr(begin, end - begin);
    const bool is_last = end == path.size();
    begin = end + 1;
    if (segment == ".." && !segments.empty()) {
      segments.pop_back();
    }
    if (segment != "." && segment != "..") {
      segments.push_back(segment);
    } else if (is_last) {
      segments.emplace_back();
    }
  }
  return segments;
}

std::string resolved_path(const std::string &path) {
  std::string out;
  for (const std::string &segment : resolve(path.empty() ? "/" : path)) {
    out += "/" + segment;
  }
  return out;
}

bool is_hex(unsigned char c) {
  return c < 0x80 && std::isxdigit(c) != 0;
}

/// What nginx makes of a path before it looks for dots: each encoding decoded once.
std::string decode_all(const std::string &path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool is_encoded = path[i] == '%' && i + 2 < path.size() && is_hex(path[i + 1]) && is_hex(path[i + 2]);
    out += is_encoded ? static_cast<char>(std::stoi(path.substr(i + 1, 2), nullptr, 16)) : path[i];
    i += is_encoded ? 2 : 0;
  }
  return out;
}

/// Whether a server may come to another path than RFC 3986: dots beside slashes that are encoded or in a row.
bool has_two_meanings(const std::string &path) {
  const std::string decoded = decode_all(path);
  const std::string lower = to_lower(path);
  const bool has_odd_slash = lower.find("%2f") != std::string::npos || decoded.find("//") != std::string::npos;
  const std::string closed = decoded + "/";
  return has_odd_slash && (closed.find("/./") != std::string::npos || closed.find("/../") != std::string::npos);
}

/// The host ends where its port begins; an IP literal ends with its bracket.
std::size_t end_of_host(const std::string &authority) {
  const bool is_literal = !authority.empty() && authority[0] == '[';
  const std::size_t bracket = authority.find(']');
  return is_literal ? (bracket == std::string::npos ? 0 : bracket + 1)
                    : std::min(authority.find(':'), authority.size());
}

bool is_host(const std::string &host) {
  if (host.size() > 2 && host.front() == '[') {
    return std::all_of(host.begin() + 1, host.end() - 1,
                       [](unsigned char c) { return is_hex(c) || c == ':' || c == '.'; });
  }
  std::size_t i = 0;
  while (i < host.size()) {
    const bool is_encoded = host[i] == '%';
    if (is_encoded ? i + 2 >= host.size() || !is_hex(host[i + 1]) || !is_hex(host[i + 2]) : !is_unreserved(host[i])) {
      return false;
    }
    i += is_encoded ? 3 : 1;
  }
  return !host.empty();
}

bool is_port(const std::string &port) {
  return port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::optional<std::string> normalize_uri(std::string_view text) {
  const std::size_t scheme_end = std::min(text.find(':'), text.size());
  const std::string scheme = to_lower(std::string(text.substr(0, scheme_end)));
  if ((scheme != "http" && scheme != "https") || text.substr(scheme_end, 3) != "://") {
    return std::nullopt;
  }
  std::string rest(text.substr(scheme_end + 3));
  rest.resize(std::min(rest.find_first_of("?#"), rest.size()));
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string host_and_port = rest.substr(0, slash);
  const std::string host = host_and_port.substr(0, end_of_host(host_and_port));
  const std::string after = host_and_port.substr(host.size());
  const std::string port = after.substr(std::min<std::size_t>(1, after.size()));
  if (!is_host(host) || (!after.empty() && after[0] != ':') || !is_port(port)) {
    return std::nullopt;
  }
  if (has_two_meanings(rest.substr(slash))) {
    return std::nullopt;
  }
  const bool is_default = port.empty() || port == (scheme == "http" ? "80" : "443");
  return scheme + "://" + to_lower(decode_unreserved(host)) + (is_default ? "" : ":" + port) +
         resolved_path(decode_unreserved(rest.substr(slash)));
}

}  // namespace fuzz
