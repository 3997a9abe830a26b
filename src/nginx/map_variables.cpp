#include "map_variables.h"

#include <algorithm>
#include <iterator>

#include "modules.h"
#include "strings.h"
#include "variable_lookup.h"

namespace nginx {
namespace {

/// How nginx's ngx_http_map_ctx_t begins, which is private to its module. learn_maps() compares it with a map of its
/// own.
struct MapContext {
  ngx_http_map_t map;
  ngx_http_complex_value_t source;
};

ngx_command_t *find_command(const ngx_module_t &module, std::string_view name) noexcept {
  for (ngx_command_t *command = module.commands; command != nullptr && command->name.len != 0; command++) {
    if (to_view(command->name) == name) {
      return command;
    }
  }
  return nullptr;
}

/// Declares `map <source> $<name> { }` as if it stood in the configuration.
/// @param name with its dollar.
bool declare_sample(ngx_conf_t *cf, const ngx_module_t &module, ngx_command_t *command, ngx_str_t source,
                    ngx_str_t name) noexcept {
  const ngx_conf_t saved = *cf;
  ngx_str_t words[] = {to_ngx_str("map"), source, name};
  ngx_array_t arguments = {words, std::size(words), sizeof(ngx_str_t), std::size(words), cf->pool};
  u_char rest[] = "}";
  ngx_buf_t buffer = {};
  buffer.start = buffer.pos = rest;
  buffer.last = buffer.end = rest + 1;
  // Not NGX_INVALID_FILE, by which ngx_conf_parse() knows the command line; it reads no further than the brace.
  ngx_conf_file_t file = {};
  file.buffer = &buffer;
  cf->args = &arguments;
  cf->conf_file = &file;
  void *conf = static_cast<ngx_http_conf_ctx_t *>(cf->ctx)->main_conf[module.ctx_index];
  const bool is_declared = command->set(cf, command, conf) == NGX_CONF_OK;
  *cf = saved;
  return is_declared;
}

const MapContext &context_of(const ngx_http_variable_t &variable) noexcept {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx keeps a variable's data.
  return *reinterpret_cast<const MapContext *>(variable.data);
}

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Takes the next variable's name off a value with `$name` and `${name}`.
/// @return false where there is no more.
bool next_name(std::string_view &value, std::string_view &name) noexcept {
  const std::size_t mark = value.find('$');
  if (mark == std::string_view::npos) {
    return false;
  }
  value.remove_prefix(mark + 1);
  value.remove_prefix(!value.empty() && value.front() == '{' ? 1 : 0);
  const auto *end = std::find_if_not(value.begin(), value.end(), is_name_character);
  name = value.substr(0, static_cast<std::size_t>(end - value.begin()));
  value.remove_prefix(name.size());
  return true;
}

/// What nginx takes from the connection, the request line and the headers stays as it is over redirects.
bool is_of_request(std::string_view name) noexcept {
  constexpr std::string_view names[] = {"host",           "server_name",     "server_port", "server_addr",
                                        "scheme",         "https",           "request",     "request_uri",
                                        "request_method", "server_protocol", "remote_addr", "binary_remote_addr",
                                        "remote_port",    "content_type",    "hostname",    "connection"};
  constexpr std::string_view prefixes[] = {"http_", "cookie_", "ssl_", "proxy_protocol_", "realip_", "geoip_"};
  const auto begins = [name](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; };
  return std::find(std::begin(names), std::end(names), name) != std::end(names) ||
         std::any_of(std::begin(prefixes), std::end(prefixes), begins);
}

bool is_map(const Maps &maps, const ngx_http_variable_t *variable) noexcept {
  return variable != nullptr && maps.handler != nullptr && variable->get_handler == maps.handler;
}

// A map's source may be a map again; nginx refuses a cycle only when it evaluates one.
// NOLINTNEXTLINE(misc-no-recursion)
bool changes_over_redirects(const ngx_conf_t *cf, const Maps &maps, const ngx_http_variable_t &map, unsigned depth,
                            StaysOverRedirects stays) noexcept {
  if (!maps.are_readable || depth == 0) {
    return true;
  }
  std::string_view source = to_view(context_of(map).source.value);
  for (std::string_view name; next_name(source, name);) {
    const ngx_http_variable_t *variable = find_variable(cf, name);
    const bool changes = is_map(maps, variable) ? changes_over_redirects(cf, maps, *variable, depth - 1, stays)
                                                : !is_of_request(name) && !stays(cf, name);
    if (changes) {
      return true;
    }
  }
  return false;
}

}  // namespace

ngx_int_t learn_maps(ngx_conf_t *cf, std::string_view sample_name, Maps &maps) noexcept {
  maps.are_known = true;
  const ngx_module_t *module = find_module(cf, "ngx_http_map_module");
  ngx_command_t *command = module == nullptr ? nullptr : find_command(*module, "map");
  if (command == nullptr) {
    return NGX_OK;
  }
  const ngx_str_t source = copy(cf->pool, "$host");
  const ngx_str_t name = copy(cf->pool, sample_name);
  const ngx_http_variable_t *sample = nullptr;
  if (source.data != nullptr && name.data != nullptr && declare_sample(cf, *module, command, source, name)) {
    sample = find_variable(cf, sample_name.substr(1));
  }
  if (sample == nullptr) {
    return NGX_ERROR;
  }
  maps.handler = sample->get_handler;
  const ngx_str_t &found = context_of(*sample).source.value;
  maps.are_readable = found.data == source.data && found.len == source.len;
  return NGX_OK;
}

std::string_view find_kept_map(const ngx_conf_t *cf, const Maps &maps, std::string_view value,
                               StaysOverRedirects stays) noexcept {
  constexpr unsigned deepest = 8;
  for (std::string_view name; next_name(value, name);) {
    const ngx_http_variable_t *variable = find_variable(cf, name);
    if (is_map(maps, variable) && (variable->flags & NGX_HTTP_VAR_NOCACHEABLE) == 0 &&
        changes_over_redirects(cf, maps, *variable, deepest, stays)) {
      return name;
    }
  }
  return {};
}

}  // namespace nginx
