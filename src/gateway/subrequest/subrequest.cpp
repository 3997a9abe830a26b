#include "subrequest.h"

#include "../../nginx/fake_connection.h"
#include "../../nginx/pool.h"
#include "../../nginx/strings.h"
#include "../../nginx/variable_origins.h"
#include "../configuration/endpoint.h"
#include "../configuration/variable_indices.h"
#include "completion.h"
#include "response_timeout.h"
#include "subrequest_headers.h"

namespace gateway {
namespace {

/// Everything that the subrequest needs of its own, made before it exists: a failure afterwards would leave it alive.
struct Preparation {
  ngx_http_post_subrequest_t *post_subrequest = nullptr;
  ngx_http_request_body_t *request_body = nullptr;
  ngx_http_variable_value_t *variables = nullptr;
  ngx_connection_t *connection = nullptr;
};

ngx_http_request_body_t *wrap_body(ngx_pool_t *pool, std::string_view body) noexcept {
  auto *request_body = static_cast<ngx_http_request_body_t *>(ngx_pcalloc(pool, sizeof(ngx_http_request_body_t)));
  auto *buffer = static_cast<ngx_buf_t *>(ngx_calloc_buf(pool));
  ngx_chain_t *link = ngx_alloc_chain_link(pool);
  if (request_body == nullptr || buffer == nullptr || link == nullptr) {
    return nullptr;
  }
  if (body.empty()) {
    // Still one of its own, or nginx would send the client's body, or close its file.
    return request_body;
  }
  const ngx_str_t bytes = to_ngx_str(body);
  buffer->pos = buffer->start = bytes.data;
  buffer->last = buffer->end = bytes.data + bytes.len;
  buffer->memory = 1;
  buffer->last_buf = 1;
  link->buf = buffer;
  link->next = nullptr;
  request_body->bufs = link;
  request_body->buf = buffer;
  return request_body;
}

bool prepare(ngx_http_request_t *r, AsRequest &request, Preparation &preparation) noexcept {
  const AsRequestTemplate &asked = request.asked;
  preparation.post_subrequest = make<ngx_http_post_subrequest_t>(r->pool);
  preparation.request_body = wrap_body(r->pool, asked.body);
  preparation.variables = make_variables(r, variables_of(r).origins);
  preparation.connection = make_fake_connection(r);
  request.running.headers = make_subrequest_headers(r, {asked.accept, asked.authorization, asked.body});
  if (preparation.post_subrequest == nullptr || preparation.request_body == nullptr ||
      preparation.variables == nullptr || preparation.connection == nullptr || request.running.headers == nullptr ||
      !prepare_timeout(r->pool, request)) {
    return false;
  }
  request.running.finish = finish_subrequest;
  preparation.post_subrequest->handler = finish_as_request;
  preparation.post_subrequest->data = &request;
  return true;
}

void apply(ngx_http_request_t *subrequest, const AsRequest &request, const Preparation &preparation) noexcept {
  if (preparation.request_body->bufs != nullptr) {
    subrequest->method = NGX_HTTP_POST;
    subrequest->method_name = to_ngx_str("POST");
  }
  subrequest->request_body = preparation.request_body;
  lend_clients_headers(subrequest, *request.running.headers);
  subrequest->variables = preparation.variables;
  // A cached response comes as a file; with this the copy filter reads it into memory.
  subrequest->filter_need_in_memory = 1;
  attach(subrequest, preparation.connection);
}

}  // namespace

bool start_subrequest(ngx_http_request_t *r, AsRequest &request, ngx_msec_t response_timeout) noexcept {
  Preparation preparation;
  if (!prepare(r, request, preparation)) {
    return false;
  }
  RunningSubrequest &running = request.running;
  const Endpoint endpoint = split_endpoint(request.asked.key.endpoint);
  ngx_str_t path = to_ngx_str(endpoint.path);
  ngx_str_t arguments = to_ngx_str(endpoint.arguments);
  const unsigned references = r->main->count;
  // What it answers is no part of the client's response, so it has no place in the order of the parts: not below a
  // subrequest of lua either, which has none itself. It is made as one in the background, and runs as any other.
  if (ngx_http_subrequest(r, &path, &arguments, &running.subrequest, preparation.post_subrequest,
                          NGX_HTTP_SUBREQUEST_WAITED | NGX_HTTP_SUBREQUEST_BACKGROUND) != NGX_OK) {
    r->main->count = references;  // it may have been counted, and will never run
    return false;
  }
  ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "phantom token: a subrequest asks \"%V\", arguments \"%V\"",
                 &path, &arguments);
  running.subrequest->background = 0;
  apply(running.subrequest, request, preparation);
  running.progress = Progress::sent;
  running.started = ngx_current_msec;
  start_timeout(request, response_timeout);
  return true;
}

bool arrive(ngx_http_request_t *subrequest, AsRequest &request) noexcept {
  request.running.progress = Progress::arrived;
  // nginx clears the modules' contexts at every redirect: that is how is_redirected() knows.
  ngx_http_set_ctx(subrequest, &request, ngx_http_phantom_token_module);
  forget_evaluated_variables(subrequest, variables_of(subrequest).origins);
  return take_own_headers(subrequest, *request.running.headers);
}

}  // namespace gateway
