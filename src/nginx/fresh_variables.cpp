#include "fresh_variables.h"

namespace nginx {

FreshVariables::FreshVariables(ngx_http_request_t *r, const VariableOrigins &origins) noexcept
    : r_(r), variables_(r->variables) {
  ngx_http_variable_value_t *fresh = make_fresh_variables(r, origins);
  is_good_ = fresh != nullptr;
  r->variables = is_good_ ? fresh : variables_;
#if (NGX_PCRE)
  captures_ = r->captures;
  ncaptures_ = r->ncaptures;
  captures_data_ = r->captures_data;
  realloc_captures_ = r->realloc_captures != 0;
  r->realloc_captures = 1;
#endif
}

FreshVariables::~FreshVariables() {
  r_->variables = variables_;
#if (NGX_PCRE)
  r_->captures = captures_;
  r_->ncaptures = ncaptures_;
  r_->captures_data = captures_data_;
  r_->realloc_captures = realloc_captures_ ? 1 : 0;
#endif
}

}  // namespace nginx
