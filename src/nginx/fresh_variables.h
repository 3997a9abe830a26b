#pragma once

#include "nginx.h"
#include "variable_origins.h"

namespace nginx {

/// As long as it lives, the request's variables are evaluated anew, and what has been read of them before is put aside:
/// nginx keeps the value of a `map` for the whole request. What a handler cannot give again stays: what `set` has
/// written, named captures, $request_id. Afterwards all is as before, so that nobody who reads a variable later sees a
/// difference.
class FreshVariables {
 public:
  FreshVariables(ngx_http_request_t *r, const VariableOrigins &origins) noexcept;
  ~FreshVariables();
  FreshVariables(const FreshVariables &) = delete;
  FreshVariables &operator=(const FreshVariables &) = delete;

  /// @return false where there is no memory: then nothing may be evaluated.
  bool is_good() const noexcept { return is_good_; }

 private:
  ngx_http_request_t *r_;
  ngx_http_variable_value_t *variables_;
  bool is_good_;
};

}  // namespace nginx
