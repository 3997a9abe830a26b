#include "error_body.h"

namespace gateway {
namespace {

struct Row {
  ngx_uint_t status;
  std::string_view json;
  std::string_view problem;
};

#define SERVER_ERROR "Problem encountered processing the request"
#define UNAUTHORIZED "Access denied due to missing, invalid or expired credentials"
#define FORBIDDEN "The token does not contain the required scope"

#define JSON(code, message) "{\"code\":\"" code "\",\"message\":\"" message "\"}"
#define PROBLEM(status, title, detail) \
  "{\"type\":\"about:blank\",\"title\":\"" title "\",\"status\":" status ",\"detail\":\"" detail "\"}"

constexpr Row rows[] = {
    {NGX_HTTP_UNAUTHORIZED, JSON("unauthorized_request", UNAUTHORIZED), PROBLEM("401", "Unauthorized", UNAUTHORIZED)},
    {NGX_HTTP_FORBIDDEN, JSON("forbidden", FORBIDDEN), PROBLEM("403", "Forbidden", FORBIDDEN)},
    {NGX_HTTP_INTERNAL_SERVER_ERROR, JSON("server_error", SERVER_ERROR),
     PROBLEM("500", "Internal Server Error", SERVER_ERROR)},
    {NGX_HTTP_BAD_GATEWAY, JSON("server_error", SERVER_ERROR), PROBLEM("502", "Bad Gateway", SERVER_ERROR)},
    {NGX_HTTP_SERVICE_UNAVAILABLE, JSON("server_error", SERVER_ERROR),
     PROBLEM("503", "Service Unavailable", SERVER_ERROR)},
    {NGX_HTTP_GATEWAY_TIME_OUT, JSON("server_error", SERVER_ERROR), PROBLEM("504", "Gateway Timeout", SERVER_ERROR)},
};

}  // namespace

ErrorBody error_body(ngx_uint_t format, ngx_uint_t status) noexcept {
  for (const Row &row : rows) {
    if (row.status != status) {
      continue;
    }
    if (format == PHANTOM_TOKEN_ERROR_JSON) {
      return {"application/json", row.json};
    }
    if (format == PHANTOM_TOKEN_ERROR_PROBLEM) {
      return {"application/problem+json", row.problem};
    }
  }
  return {};
}

}  // namespace gateway
