#include "pattern.h"

#include "pool.h"
#include "strings.h"

namespace nginx {

#if (NGX_PCRE)

Pattern *compile_pattern(ngx_conf_t *cf, const ngx_str_t &text) noexcept {
  u_char error[NGX_MAX_CONF_ERRSTR];
  ngx_regex_compile_t compilation = {};
  compilation.pattern = text;
  compilation.pool = cf->pool;
  compilation.err = {sizeof(error), error};
  if (ngx_regex_compile(&compilation) != NGX_OK) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &compilation.err);
    return nullptr;
  }
  auto *pattern = make<Pattern>(cf->pool);
  if (pattern != nullptr) {
    pattern->text = text;
    pattern->regex = compilation.regex;
  }
  return pattern;
}

bool matches(const Pattern &pattern, std::string_view text, ngx_log_t *log) noexcept {
  ngx_str_t subject = to_ngx_str(text);
  const ngx_int_t rc = ngx_regex_exec(pattern.regex, &subject, nullptr, 0);
  if (rc < 0 && rc != NGX_REGEX_NO_MATCHED) {
    ngx_log_error(NGX_LOG_ALERT, log, 0, "phantom token: " ngx_regex_exec_n " failed: %i, using \"%V\"", rc,
                  &pattern.text);
  }
  return rc >= 0;
}

#else

Pattern *compile_pattern(ngx_conf_t *cf, const ngx_str_t &text) noexcept {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "using regex \"%V\" requires PCRE library", &text);
  return nullptr;
}

bool matches(const Pattern & /*pattern*/, std::string_view /*text*/, ngx_log_t * /*log*/) noexcept {
  return false;
}

#endif

}  // namespace nginx
