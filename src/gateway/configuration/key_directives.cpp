// The lines that name private keys, and what the JWTs hold that the gateway signs.

#include <string_view>

#include "../../jose/public_jwk.h"
#include "../../nginx/strings.h"
#include "../../oauth/signed_jwt.h"
#include "pool_memory.h"
#include "private_key.h"
#include "setters.h"
#include "signing.h"

namespace gateway {
namespace {

/// A single "" stands where an inner level is to have none of what outer levels have.
bool is_empty_line(const ngx_conf_t *cf) noexcept {
  return cf->args->nelts == 2 && argument(cf, 1).len == 0;
}

bool has_key_id(const ngx_array_t *keys, std::string_view kid) noexcept {
  for (const phantom_token_private_key_t *key : signing_keys(keys)) {
    if (key_id(*key) == kid) {
      return true;
    }
  }
  return false;
}

char *refuse_key_id(ngx_conf_t *cf, const ngx_command_t *cmd, std::string_view kid) noexcept {
  const ngx_str_t place = place_of(cf);
  const ngx_str_t shown = to_ngx_str(kid);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" has two keys with the kid \"%V\": an API could not tell them apart; "
                     "give one of them another \"kid=\", or remove it",
                     &cmd->name, &place, &shown);
  return refuse();
}

/// A list that is quoted as phantom_token_scopes has it would be the name of one claim, which no token has.
char *refuse_blank(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &claim) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" has a name with a blank: \"%V\"; write the names without quotes around "
                     "them all",
                     &cmd->name, &place, &claim);
  return refuse();
}

char *refuse_claim(ngx_conf_t *cf, const ngx_command_t *cmd, const ngx_str_t &claim) noexcept {
  const ngx_str_t place = place_of(cf);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                     "\"%V\" of location \"%V\" names \"%V\", which is not the token's: the gateway sets iss, sub, "
                     "aud, iat, exp and jti itself, and leaves out active, token_type and nbf; remove it",
                     &cmd->name, &place, &claim);
  return refuse();
}

}  // namespace
}  // namespace gateway

extern "C" {

using namespace gateway;

char *phantom_token_set_client_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&key = slot<phantom_token_private_key_t *>(cmd, conf);
  if (key != NGX_CONF_UNSET_PTR) {
    return duplicate();
  }
  key = is_empty_line(cf) ? nullptr : read_private_key(cf, cmd);
  return key != nullptr || is_empty_line(cf) ? NGX_CONF_OK : refuse();
}

char *phantom_token_add_signing_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  auto *&keys = slot<ngx_array_t *>(cmd, conf);
  if (keys == NGX_CONF_UNSET_PTR) {
    keys = ngx_array_create(cf->pool, 2, sizeof(phantom_token_private_key_t *));
  }
  if (keys == nullptr) {
    return refuse();
  }
  if (is_empty_line(cf)) {
    return NGX_CONF_OK;
  }
  phantom_token_private_key_t *key = read_private_key(cf, cmd);
  PoolMemory memory(cf->pool);
  if (key == nullptr || !jose::make_public_jwk(key->key, *key->algorithm, key_id(*key), memory, key->public_jwk)) {
    return refuse();
  }
  if (has_key_id(keys, key_id(*key))) {
    return refuse_key_id(cf, cmd, key_id(*key));
  }
  auto *element = static_cast<phantom_token_private_key_t **>(ngx_array_push(keys));
  if (element == nullptr) {
    return refuse();
  }
  *element = key;
  return NGX_CONF_OK;
}

char *phantom_token_set_signed_claims(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
    const ngx_str_t &claim = argument(cf, i);
    if (to_view(claim).find(' ') != std::string_view::npos) {
      return refuse_blank(cf, cmd, claim);
    }
    if (oauth::is_reserved_claim(to_view(claim))) {
      return refuse_claim(cf, cmd, claim);
    }
  }
  return phantom_token_set_strings(cf, cmd, conf);
}

}  // extern "C"
