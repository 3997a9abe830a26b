#include "cache_guard.h"

#include <algorithm>
#include <string_view>

#include "../../nginx/core_configuration.h"
#include "../../nginx/header_list.h"
#include "../../nginx/locations.h"
#include "../../nginx/strings.h"
#include "../configuration/endpoint.h"
#include "../configuration/module_configuration.h"
#include "../configuration/variable_indices.h"

namespace gateway {
namespace {

/// Whether the part stands in the text once all places of `without` are taken out of it.
bool holds_beside(std::string_view text, std::string_view part, std::string_view without) noexcept {
  for (;;) {
    const std::size_t begin = without.empty() ? std::string_view::npos : text.find(without);
    if (text.substr(0, begin).find(part) != std::string_view::npos) {
      return true;
    }
    if (begin == std::string_view::npos) {
      return false;
    }
    text.remove_prefix(begin + without.size());
  }
}

struct Keys {
  const ngx_str_t *items = nullptr;
  ngx_uint_t count = 0;

  bool hold(std::string_view part) const noexcept { return hold_beside(part, {}); }

  /// Whether the part stands anywhere but within this other text.
  bool hold_beside(std::string_view part, std::string_view without) const noexcept {
    for (ngx_uint_t i = 0; i < count; i++) {
      if (holds_beside(to_view(items[i]), part, without)) {
        return true;
      }
    }
    return false;
  }
};

constexpr const char *add_key =
    "its location's cache key does not tell tokens apart: add \"proxy_cache_key "
    "$phantom_token_key;\"";

constexpr const char *name_server =
    "variables choose the server that its location passes on to, and the cache key does not tell the servers apart: "
    "use "
    "\"proxy_cache_key $phantom_token_key;\" and put the variables into the endpoint's URI, such as "
    "\"/_introspect?$host\", "
    "or \"proxy_cache_key $proxy_host$phantom_token_key;\"";

/// Whether the subrequest, whose variables are its own, has read this one.
bool has_read(const ngx_http_request_t *subrequest, ngx_int_t index) noexcept {
  return index != NGX_ERROR && subrequest->variables[index].valid != 0;
}

bool has_sent(const ngx_http_request_t *client, std::string_view text) noexcept {
  if (to_view(client->request_line).find(text) != std::string_view::npos) {
    return true;
  }
  const HeaderList headers(client->headers_in.headers);
  return std::any_of(headers.begin(), headers.end(), [text](const ngx_table_elt_t &header) {
    return to_view(header.value).find(text) != std::string_view::npos;
  });
}

/// Whether the key holds this value because the directive names the variable. The value alone proves nothing: a client
/// can write it into its URI or a header that the key holds, and lead another client to send the same. So the variable
/// must have been read, and the client must not have sent its value.
bool comes_from(const ngx_http_request_t *subrequest, ngx_int_t index, std::string_view value,
                const Keys &keys) noexcept {
  return keys.hold(value) && has_read(subrequest, index) && !has_sent(subrequest->main, value);
}

/// nginx writes the key in clear at the head of the cache's file.
bool holds_secret(const Keys &keys, const AsRequestTemplate &asked) noexcept {
  return (asked.body_has_secret && keys.hold(asked.body)) ||
         (!asked.authorization.empty() && keys.hold(asked.authorization));
}

/// Whether the key names the server. It must where proxy_pass has variables, since nginx chooses the server after it
/// has made the key. A short name, such as that of an upstream "a", can stand in a digest, a body or a path by chance:
/// so the variable must have been read, and the name must stand outside of what tells tokens apart.
bool names_the_server(ngx_http_request_t *subrequest, const Keys &keys, std::string_view token_part) noexcept {
  const ngx_int_t index = variables_of(subrequest).proxy_host;
  if (!has_read(subrequest, index)) {
    return false;
  }
  const ngx_http_variable_value_t *host = ngx_http_get_flushed_variable(subrequest, static_cast<ngx_uint_t>(index));
  return host != nullptr && host->not_found == 0 && host->len != 0 &&
         keys.hold_beside({reinterpret_cast<const char *>(host->data), host->len}, token_part);
}

/// Whether another location may keep its entries in the same zone.
bool may_share_cache_zone(const ngx_http_request_t *subrequest) noexcept {
#if (NGX_HTTP_CACHE)
  if (subrequest->upstream->conf->cache_value != nullptr) {
    return true;
  }
#endif
  return location_of(subrequest).shares_cache_zone != 0;
}

/// Whether variables choose the server, after the cache has been asked: proxy_pass and its like are evaluated then.
bool chooses_server(const ngx_http_request_t *subrequest) noexcept {
  return subrequest->upstream != nullptr && subrequest->upstream->resolved != nullptr;
}

/// A key that tells tokens apart, but says nothing of who is asked about them.
const char *find_fault_of_body_key(ngx_http_request_t *subrequest, const AsRequestTemplate &asked,
                                   const Keys &keys) noexcept {
  const bool body_only = keys.count == 1 && keys.items[0].len == asked.body.size();
  if (body_only && may_share_cache_zone(subrequest)) {
    return "its location's cache zone is used by another one too, or has a variable in its name, and the cache key "
           "does not tell them apart: add "
           "\"proxy_cache_key $phantom_token_key;\"";
  }
  return nullptr;
}

/// Whether the answer came from the location that the endpoint names, and always does. A rewrite, or an `if`, may have
/// chosen by what the client's request has.
bool came_from_endpoint(const ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept {
  const ngx_http_core_loc_conf_t *first =
      find_location(core_server_of(subrequest), split_endpoint(asked.key.endpoint).path);
  return first == &core_location_of(subrequest) && location_of(*first).has_if == 0;
}

#if (NGX_HTTP_CACHE)
/// Whether the entry's key is complete. Where nginx had no memory for it, the list of keys has an element without a
/// value; ngx_http_file_cache_create_key() comes after that.
bool has_key(const ngx_http_cache_t &cache) noexcept {
  return cache.header_start != 0;
}
#endif

}  // namespace

const char *find_unsafe_cache_key(ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept {
#if (NGX_HTTP_CACHE)
  if (subrequest->cache == nullptr || !asked.is_about_token()) {
    return nullptr;
  }
  if (!has_key(*subrequest->cache)) {
    return "its location's cache has no key";
  }
  const Keys keys = {static_cast<const ngx_str_t *>(subrequest->cache->keys.elts), subrequest->cache->keys.nelts};
  const phantom_token_variables_t &variables = variables_of(subrequest);
  const bool holds_key = comes_from(subrequest, variables.key, {asked.cache_key, sizeof(asked.cache_key)}, keys);
  const bool holds_body = comes_from(subrequest, variables.request_body, asked.body, keys);
  if (holds_secret(keys, asked)) {
    return "its location's cache key holds the gateway's client_secret or client_assertion, which would be written to "
           "disk: use \"proxy_cache_key $phantom_token_key;\"";
  }
  if (!holds_key && !holds_body) {
    return add_key;
  }
  // An endpoint with variables is a part of $phantom_token_key, and not of the body.
  const bool tells_servers_apart = !chooses_server(subrequest) || (holds_key && asked.endpoint_has_variables);
  const std::string_view token_part =
      holds_key ? std::string_view(asked.cache_key, sizeof(asked.cache_key)) : asked.body;
  if (!tells_servers_apart && !names_the_server(subrequest, keys, token_part)) {
    return name_server;
  }
  return holds_key ? nullptr : find_fault_of_body_key(subrequest, asked, keys);
#else
  return nullptr;
#endif
}

const char *find_unnamed_server(const ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept {
  return !asked.is_about_token() && !asked.endpoint_has_variables && chooses_server(subrequest)
             ? "variables choose the server that its location passes on to, and one JWK Set is kept for all of them: "
               "put "
               "the variables into the URI of \"phantom_token_jwks_endpoint\" too, such as \"/_jwks?$host\""
             : nullptr;
}

bool answers_key(const ngx_http_request_t *subrequest, const AsRequestTemplate &asked) noexcept {
  if (!came_from_endpoint(subrequest, asked) || (chooses_server(subrequest) && !asked.endpoint_has_variables)) {
    return false;
  }
#if (NGX_HTTP_CACHE)
  if (subrequest->cache != nullptr) {
    if (!has_key(*subrequest->cache) || subrequest->upstream->conf->cache_value != nullptr) {
      return false;
    }
    const ngx_array_t &keys = subrequest->cache->keys;
    const std::string_view key = keys.nelts == 1 ? to_view(*static_cast<const ngx_str_t *>(keys.elts)) : "";
    return key == std::string_view(asked.cache_key, sizeof(asked.cache_key)) || key == asked.body;
  }
#endif
  return true;
}

void guard_background_update(ngx_http_request_t *update, const AsRequestTemplate &asked) noexcept {
#if (NGX_HTTP_CACHE)
  if (update->upstream != nullptr && find_unsafe_cache_key(update, asked) != nullptr) {
    update->upstream->cacheable = 0;
  }
#endif
}

}  // namespace gateway
