#include "locations.h"

#include <algorithm>

#include "strings.h"

namespace nginx {
namespace {

ngx_http_core_loc_conf_t *core_of(void **configurations) noexcept {
  return static_cast<ngx_http_core_loc_conf_t *>(configurations[ngx_http_core_module.ctx_index]);
}

bool is_regex([[maybe_unused]] const ngx_http_core_loc_conf_t &location) noexcept {
#if (NGX_PCRE)
  return location.regex != nullptr;
#else
  return false;
#endif
}

struct StaticMatch {
  ngx_http_core_loc_conf_t *location = nullptr;
  bool exact = false;
};

/// One node of ngx_http_core_find_static_location's walk.
/// @return the node to go to; nullptr where the walk is over.
const ngx_http_location_tree_node_t *step(const ngx_http_location_tree_node_t *node, std::string_view &uri,
                                          StaticMatch &match) noexcept {
  const std::size_t shared = std::min<std::size_t>(uri.size(), node->len);
  ngx_str_t rest = to_ngx_str(uri);
  const ngx_int_t order = ngx_filename_cmp(rest.data, const_cast<u_char *>(node->name), shared);
  if (order != 0) {
    return order < 0 ? node->left : node->right;
  }
  if (uri.size() < node->len) {
    return node->left;
  }
  if (uri.size() == node->len) {
    match.exact = node->exact != nullptr;
    match.location = match.exact ? node->exact : node->inclusive;
    return nullptr;
  }
  if (node->inclusive == nullptr) {
    return node->right;
  }
  match.location = node->inclusive;
  uri.remove_prefix(shared);
  return node->tree;
}

ngx_http_core_loc_conf_t *find_regex([[maybe_unused]] const ngx_http_core_loc_conf_t &parent,
                                     [[maybe_unused]] std::string_view uri) noexcept {
#if (NGX_PCRE)
  if (parent.regex_locations == nullptr) {
    return nullptr;
  }
  for (ngx_http_core_loc_conf_t **location = parent.regex_locations; *location != nullptr; location++) {
    ngx_str_t subject = to_ngx_str(uri);
    if (ngx_regex_exec((*location)->regex->regex, &subject, nullptr, 0) >= 0) {
      return *location;
    }
  }
#endif
  return nullptr;
}

// As deep as locations are nested in the configuration.
// NOLINTNEXTLINE(misc-no-recursion)
ngx_http_core_loc_conf_t *find_below(const ngx_http_core_loc_conf_t &parent, std::string_view uri) noexcept {
  StaticMatch match;
  std::string_view rest = uri;
  for (const auto *node = parent.static_locations; node != nullptr;) {
    node = step(node, rest, match);
  }
  if (match.exact) {
    return match.location;
  }

  bool regexes_apply = true;
  if (match.location != nullptr) {
    regexes_apply = match.location->noregex == 0;
    if (auto *nested = find_below(*match.location, uri)) {
      match.location = nested;
      if (nested->exact_match != 0 || is_regex(*nested)) {
        return nested;
      }
    }
  }
  if (auto *regex = regexes_apply ? find_regex(parent, uri) : nullptr) {
    auto *nested = find_below(*regex, uri);
    return nested == nullptr ? regex : nested;
  }
  return match.location;
}

}  // namespace

bool has_no_slash(const ngx_http_core_loc_conf_t &location) noexcept {
  return !is_regex(location) && location.named == 0 && location.name.len != 0 && location.name.data[0] != '/';
}

bool is_internal(const ngx_http_core_loc_conf_t &location) noexcept {
  return location.internal == 1 || has_no_slash(location);
}

bool is_if(const ngx_http_core_loc_conf_t &location) noexcept {
  return location.noname != 0 && location.lmt_excpt == 0;
}

bool is_server_block(const ngx_http_core_loc_conf_t &location, const ngx_http_core_srv_conf_t &server) noexcept {
  return core_of(server.ctx->loc_conf) == &location;
}

ngx_str_t display_name(const ngx_http_core_loc_conf_t &location) noexcept {
  return location.name.len != 0 ? location.name : to_ngx_str("server");
}

ngx_http_core_loc_conf_t *find_location(const ngx_http_core_srv_conf_t &server, std::string_view uri) noexcept {
  return find_below(*core_of(server.ctx->loc_conf), uri);
}

}  // namespace nginx
