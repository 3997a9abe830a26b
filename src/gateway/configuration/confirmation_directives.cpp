// The lines that say how tokens that are bound to a key are checked (RFC 9449, RFC 8705).

#include <string_view>

#include "../../jose/signature_algorithm.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../oauth/target_uri.h"
#include "endpoint.h"
#include "private_file.h"
#include "setters.h"

namespace gateway {
namespace {

constexpr time_t longest_time = time_t{365} * 24 * 60 * 60;

char *refuse_algorithm(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  const ngx_str_t shown = printable(cf->pool, to_view(value));
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" has \"%V\", which is no asymmetric signature that is supported: write "
                     "names such as ES256, PS256 or EdDSA, each as an argument of its own",
                     &cmd->name, &place, &shown);
  return refuse();
}

char *refuse_uri(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  const ngx_str_t shown = printable(cf->pool, to_view(value));
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" must be an absolute http or https URI without user name, such as "
                     "\"https://api.example.com$request_uri\", it is \"%V\"",
                     &cmd->name, &place, &shown);
  return refuse();
}

char *refuse_empty(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" is empty: name the variable that the certificate is in, or remove the "
                     "line",
                     &cmd->name, &place);
  return refuse();
}

constexpr size_t smallest_secret = 32;
constexpr size_t largest_secret = 4096;

/// @return false where it cannot be read or has another size, which has been logged.
bool read_nonce_secret(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &path, ngx_str_t &secret) noexcept {
  auto *buffer = static_cast<u_char *>(ngx_pnalloc(cf->pool, largest_secret + 1));
  std::string_view content;
  const FileLine line = {cmd->name, place_of(cf), "secret"};
  if (buffer == nullptr || !read_private_file(cf, line, path, buffer, largest_secret + 1, content)) {
    return false;
  }
  secret = to_ngx_str(content);
  if (content.size() >= smallest_secret && content.size() <= largest_secret) {
    return true;
  }
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\": the secret in \"%V\" has %s than it must have, 32 to 4096 bytes: make "
                     "one by \"openssl rand 32\"",
                     &line.directive, &line.location, &path, content.size() < smallest_secret ? "less" : "more");
  return false;
}

/// Reads `time=TIME`.
/// @return 0 where it is not that.
time_t read_nonce_time(const ngx_str_t &value) noexcept {
  constexpr std::string_view parameter = "time=";
  std::string_view text = to_view(value);
  if (text.substr(0, parameter.size()) != parameter) {
    return 0;
  }
  ngx_str_t time = to_ngx_str(text.substr(parameter.size()));
  const time_t seconds = ngx_parse_time(&time, 1);
  return seconds >= 1 && seconds <= longest_time ? seconds : 0;
}

char *refuse_nonce_time(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &value) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" has behind the file only \"time=TIME\", from \"time=1s\" to "
                     "\"time=1y\", it has \"%V\"",
                     &cmd->name, &place, &value);
  return refuse();
}

}  // namespace
}  // namespace gateway

extern "C" {

using namespace gateway;

char *phantom_token_set_dpop_uri(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  char *result = ngx_http_set_complex_value_slot(cf, cmd, conf);
  if (result != NGX_CONF_OK) {
    return result;
  }
  const auto *value = slot<ngx_http_complex_value_t *>(cmd, conf);
  const bool may_be_uri = !is_constant(*value) || oauth::is_target_uri(to_view(value->value));
  return may_be_uri ? NGX_CONF_OK : refuse_uri(cf, cmd, argument(cf, 1));
}

char *phantom_token_set_dpop_algorithms(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
    if (jose::find_signature_algorithm(to_view(argument(cf, i))) == nullptr) {
      return refuse_algorithm(cf, cmd, argument(cf, i));
    }
  }
  return phantom_token_set_names(cf, cmd, conf);
}

char *phantom_token_set_dpop_nonce(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  constexpr time_t default_time = 300;
  auto *&nonce = slot<phantom_token_dpop_nonce_t *>(cmd, conf);
  if (nonce != NGX_CONF_UNSET_PTR) {
    return duplicate();
  }
  nonce = nullptr;
  ngx_str_t path = argument(cf, 1);
  if (cf->args->nelts == 2 && to_view(path) == "off") {
    return NGX_CONF_OK;
  }
  auto *read = make<phantom_token_dpop_nonce_t>(cf->pool);
  if (read == nullptr || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK ||
      !read_nonce_secret(cf, cmd, path, read->secret)) {
    return refuse();
  }
  read->time = cf->args->nelts == 2 ? default_time : read_nonce_time(argument(cf, 2));
  if (read->time == 0) {
    return refuse_nonce_time(cf, cmd, argument(cf, 2));
  }
  nonce = read;
  return NGX_CONF_OK;
}

char *phantom_token_set_client_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  return argument(cf, 1).len == 0 ? refuse_empty(cf, cmd) : ngx_http_set_complex_value_slot(cf, cmd, conf);
}

}  // extern "C"
