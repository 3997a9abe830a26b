#include "fresh_variables.h"

namespace nginx {

FreshVariables::FreshVariables(ngx_http_request_t *r, const VariableOrigins &origins) noexcept
    : r_(r), variables_(r->variables) {
  ngx_http_variable_value_t *fresh = make_fresh_variables(r, origins);
  is_good_ = fresh != nullptr;
  r->variables = is_good_ ? fresh : variables_;
}

FreshVariables::~FreshVariables() {
  r_->variables = variables_;
}

}  // namespace nginx
