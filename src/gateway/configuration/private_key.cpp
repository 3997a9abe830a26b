#include "private_key.h"

#include "../../jose/public_jwk.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "pool_memory.h"
#include "private_file.h"
#include "setters.h"

namespace gateway {
namespace {

/// RSA keys of 16384 bits have 13 KB.
constexpr size_t largest_key_file = 65536;

/// The file's bytes, which nobody may find in memory that nginx uses again.
class KeyText {
 public:
  explicit KeyText(ngx_pool_t *pool) noexcept : bytes_(static_cast<u_char *>(ngx_pnalloc(pool, size))) {}
  ~KeyText() {
    if (bytes_ != nullptr) {
      ngx_explicit_memzero(bytes_, size);
    }
  }
  KeyText(const KeyText &) = delete;
  KeyText &operator=(const KeyText &) = delete;

  u_char *bytes() const noexcept { return bytes_; }

  static constexpr size_t size = largest_key_file + 1;

 private:
  u_char *bytes_;
};

/// @return what is wrong with the file and what to do. It shows nothing of the key.
const char *explain(jose::KeyReading reading) noexcept {
  switch (reading) {
    case jose::KeyReading::good:
      break;
    case jose::KeyReading::no_key:
      return "has no private key in PEM: it must begin with \"-----BEGIN PRIVATE KEY-----\", as \"openssl genpkey\" "
             "writes it";
    case jose::KeyReading::encrypted:
      return "is encrypted, and nobody is there to type the passphrase: decrypt it with \"openssl pkey\"";
    case jose::KeyReading::other_kind:
      return "is of a kind that cannot sign here: use EC with the curve P-256, P-384 or P-521, Ed25519, or RSA";
    case jose::KeyReading::weak:
      return "is an RSA key of less than 2048 bits, which is too weak: make a new one";
    case jose::KeyReading::too_large:
      return "is an RSA key of more than 16384 bits, by which OpenSSL verifies nothing: make a smaller one";
    case jose::KeyReading::no_memory:
      return "cannot be read for lack of memory";
  }
  return nullptr;
}

char *refuse_key(ngx_conf_t *cf, const FileLine &line, const ngx_str_t &path, const char *problem) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\": the key in \"%V\" %s", &line.directive,
                     &line.location, &path, problem);
  return refuse();
}

void free_key(void *key) noexcept {
  jose::free_signing_key(static_cast<phantom_token_private_key_t *>(key)->key);
}

/// @return an empty key that is freed with the configuration, or nullptr where there is no memory.
phantom_token_private_key_t *make_key(ngx_pool_t *pool) noexcept {
  auto *key = make<phantom_token_private_key_t>(pool);
  ngx_pool_cleanup_t *cleanup = key == nullptr ? nullptr : ngx_pool_cleanup_add(pool, 0);
  if (cleanup == nullptr) {
    return nullptr;
  }
  cleanup->handler = free_key;
  cleanup->data = key;
  return key;
}

char *read_key(ngx_conf_t *cf, const FileLine &line, ngx_str_t path, jose::SigningKey &key) noexcept {
  if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
    return refuse();
  }
  const KeyText text(cf->temp_pool);
  std::string_view pem;
  if (text.bytes() == nullptr || !read_private_file(cf, line, path, text.bytes(), KeyText::size, pem)) {
    return refuse();
  }
  if (pem.size() > largest_key_file) {
    return refuse_key(cf, line, path, "is larger than a key may be, 65536 bytes: is it the right file?");
  }
  const char *problem = explain(jose::read_signing_key(pem, key));
  return problem == nullptr ? NGX_CONF_OK : refuse_key(cf, line, path, problem);
}

/// A parameter `NAME=VALUE` of the line.
struct Parameter {
  std::string_view prefix;
  std::string_view value;
  bool is_there = false;

  bool takes(std::string_view text) noexcept {
    if (is_there || text.substr(0, prefix.size()) != prefix) {
      return false;
    }
    value = text.substr(prefix.size());
    is_there = true;
    return true;
  }
};

bool is_visible_ascii(std::string_view text) noexcept {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e) {
      return false;
    }
  }
  return !text.empty();
}

char *refuse_parameter(ngx_conf_t *cf, const FileLine &line, const char *problem, std::string_view value) noexcept {
  const ngx_str_t shown = printable(cf->pool, value);
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of location \"%V\" %s, it has \"%V\"", &line.directive,
                     &line.location, problem, &shown);
  return refuse();
}

char *read_parameters(ngx_conf_t *cf, const FileLine &line, Parameter &alg, Parameter &kid) noexcept {
  for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
    const std::string_view text = to_view(argument(cf, i));
    if (!alg.takes(text) && !kid.takes(text)) {
      return refuse_parameter(cf, line, "takes a file, \"alg=\" and \"kid=\", each once", text);
    }
  }
  if (kid.is_there && !is_visible_ascii(kid.value)) {
    return refuse_parameter(cf, line, "must have a \"kid=\" of visible ASCII characters", kid.value);
  }
  return NGX_CONF_OK;
}

/// @return whether the key signs by the algorithm that the line names, or by its own where it names none.
bool choose_algorithm(const Parameter &alg, phantom_token_private_key_t &key) noexcept {
  key.algorithm = alg.is_there ? jose::find_signature_algorithm(alg.value) : &jose::default_algorithm(key.key);
  return key.algorithm != nullptr && jose::fits(*key.algorithm, key.key.kind);
}

/// @return false where there is no memory, or OpenSSL fails.
bool describe_key(ngx_pool_t *pool, phantom_token_private_key_t &key, const Parameter &kid) noexcept {
  PoolMemory memory(pool);
  auto *thumbprint = static_cast<char *>(memory.allocate(jose::thumbprint_size));
  if (thumbprint == nullptr || !jose::make_thumbprint(key.key, memory, thumbprint)) {
    return false;
  }
  key.thumbprint = {thumbprint, jose::thumbprint_size};
  key.kid = kid.value;
  return true;
}

}  // namespace

phantom_token_private_key_t *read_private_key(ngx_conf_t *cf, const ngx_command_t *cmd) noexcept {
  const FileLine line = {cmd->name, place_of(cf), "key"};
  Parameter alg = {"alg=", {}};
  Parameter kid = {"kid=", {}};
  if (read_parameters(cf, line, alg, kid) != NGX_CONF_OK) {
    return nullptr;
  }
  phantom_token_private_key_t *key = make_key(cf->pool);
  if (key == nullptr || read_key(cf, line, argument(cf, 1), key->key) != NGX_CONF_OK) {
    return nullptr;
  }
  if (!choose_algorithm(alg, *key)) {
    (void)refuse_parameter(cf, line,
                           "must have an \"alg=\" that fits its key: ES256, ES384 or ES512 for EC by its curve, EdDSA "
                           "or Ed25519 for Ed25519, RS256 to RS512 or PS256 to PS512 for RSA",
                           alg.value);
    return nullptr;
  }
  return describe_key(cf->pool, *key, kid) ? key : nullptr;
}

}  // namespace gateway
