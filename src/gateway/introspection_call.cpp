#include "introspection_call.h"

#include "../oauth/form.h"
#include "capture.h"
#include "endpoint.h"
#include "policy.h"
#include "pool_memory.h"
#include "text.h"

namespace gateway {
namespace {

constexpr std::string_view body_prefix = "token=";
constexpr std::string_view body_suffix = "&token_type_hint=access_token";

/// Everything that the subrequest needs of its own, made before it exists: a failure afterwards would leave it alive.
struct Preparation {
  ngx_http_post_subrequest_t *post_subrequest = nullptr;
  ngx_http_request_body_t *request_body = nullptr;
  ngx_http_variable_value_t *variables = nullptr;
  ngx_http_headers_in_t headers_in = {};
};

struct Header {
  std::string_view name;
  std::string_view lowercase_name;
  std::string_view value;
  ngx_table_elt_t *ngx_http_headers_in_t::*field;  ///< nullptr where nginx keeps no pointer to it
};

std::string_view build_request_body(ngx_pool_t *pool, std::string_view token) noexcept {
  const std::size_t size = body_prefix.size() + oauth::form_encoded_size(token) + body_suffix.size();
  auto *body = static_cast<char *>(ngx_pnalloc(pool, size));
  if (body == nullptr) {
    return {};
  }
  char *end = body + body_prefix.copy(body, body_prefix.size());
  end = oauth::form_encode(end, token);
  body_suffix.copy(end, body_suffix.size());
  return {body, size};
}

ngx_http_request_body_t *wrap_request_body(ngx_pool_t *pool, std::string_view body) noexcept {
  auto *request_body = static_cast<ngx_http_request_body_t *>(ngx_pcalloc(pool, sizeof(ngx_http_request_body_t)));
  auto *buffer = static_cast<ngx_buf_t *>(ngx_calloc_buf(pool));
  ngx_chain_t *link = ngx_alloc_chain_link(pool);
  if (request_body == nullptr || buffer == nullptr || link == nullptr) {
    return nullptr;
  }
  const ngx_str_t bytes = text(body);
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

bool add_header(ngx_http_headers_in_t &headers_in, const Header &header) noexcept {
  auto *element = static_cast<ngx_table_elt_t *>(ngx_list_push(&headers_in.headers));
  if (element == nullptr) {
    return false;
  }
  element->key = text(header.name);
  element->value = text(header.value);
  element->lowcase_key = text(header.lowercase_name).data;
  element->hash = ngx_hash_key(element->lowcase_key, header.lowercase_name.size());
  unlink_header(element);
  if (header.field != nullptr) {
    headers_in.*header.field = element;
  }
  return true;
}

/// The subrequest's copy of the parent's headers shares the parent's list, so it gets headers of its own, and nothing
/// that the client sent. What remains is what nginx needs to find out the server's name.
bool build_headers(ngx_http_request_t *r, std::string_view body, ngx_http_headers_in_t &headers_in) noexcept {
  auto *length = static_cast<u_char *>(ngx_pnalloc(r->pool, NGX_SIZE_T_LEN));
  if (length == nullptr || ngx_list_init(&headers_in.headers, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK) {
    return false;
  }
  const u_char *length_end = ngx_sprintf(length, "%uz", body.size());
  headers_in.server = r->headers_in.server;
  headers_in.keep_alive_n = -1;
  headers_in.content_length_n = static_cast<off_t>(body.size());

  // No list of media types: Keycloak compares the whole header.
  const Header headers[] = {
      {"Accept", "accept", "application/jwt", nullptr},
      {"Content-Type", "content-type", "application/x-www-form-urlencoded", &ngx_http_headers_in_t::content_type},
      {"Content-Length", "content-length", view({static_cast<size_t>(length_end - length), length}),
       &ngx_http_headers_in_t::content_length},
  };
  for (const Header &header : headers) {
    if (!add_header(headers_in, header)) {
      return false;
    }
  }
  return true;
}

bool prepare(ngx_http_request_t *r, IntrospectionCall *call, Preparation &preparation) noexcept {
  const auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
  preparation.post_subrequest = make<ngx_http_post_subrequest_t>(r->pool);
  preparation.request_body = wrap_request_body(r->pool, call->request_body);
  // Variables are cached by request: in the parent's array, a $request_body that the parent has read would be the
  // cache key of another token.
  preparation.variables = static_cast<ngx_http_variable_value_t *>(
      ngx_pcalloc(r->pool, cmcf->variables.nelts * sizeof(ngx_http_variable_value_t)));
  if (preparation.post_subrequest == nullptr || preparation.request_body == nullptr ||
      preparation.variables == nullptr || !build_headers(r, call->request_body, preparation.headers_in)) {
    return false;
  }
  preparation.post_subrequest->handler = finish_capture;
  preparation.post_subrequest->data = call;
  return true;
}

void apply(ngx_http_request_t *subrequest, const Preparation &preparation) noexcept {
  subrequest->method = NGX_HTTP_POST;
  subrequest->method_name = text("POST");
  subrequest->request_body = preparation.request_body;
  subrequest->headers_in = preparation.headers_in;
  // ngx_list_t points into itself while it has one part.
  subrequest->headers_in.headers.last = &subrequest->headers_in.headers.part;
  subrequest->variables = preparation.variables;
  // A cached response comes as a file; with this the copy filter reads it into memory.
  subrequest->filter_need_in_memory = 1;
}

IntrospectionCall *make_call(ngx_http_request_t *r, std::string_view endpoint, std::string_view token) noexcept {
  auto *call = make<IntrospectionCall>(r->pool);
  if (call == nullptr) {
    return nullptr;
  }
  call->endpoint = endpoint;
  call->request_body = build_request_body(r->pool, token);
  if (call->request_body.empty()) {
    return nullptr;
  }
  // nginx would turn a variable that fails into an empty string, so the key is ready before anybody asks for it.
  if (!introspection_key(r, endpoint, token, call->key)) {
    ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0, "phantom token: OpenSSL failed to compute a cache key");
    return nullptr;
  }
  return call;
}

}  // namespace

IntrospectionCall *start_introspection(ngx_http_request_t *r, const phantom_token_location_t &location,
                                       std::string_view endpoint, std::string_view token) noexcept {
  IntrospectionCall *call = make_call(r, endpoint, token);
  Preparation preparation;
  if (call == nullptr || !prepare(r, call, preparation)) {
    return nullptr;
  }
  call->largest_response = location.max_response_size;
  call->jwt_members = location.policy->jwt_members;

  const Endpoint parts = split_endpoint(endpoint);
  ngx_str_t path = text(parts.path);
  ngx_str_t arguments = text(parts.arguments);
  ngx_http_request_t *subrequest = nullptr;
  if (ngx_http_subrequest(r, &path, &arguments, &subrequest, preparation.post_subrequest, NGX_HTTP_SUBREQUEST_WAITED) !=
      NGX_OK) {
    return nullptr;
  }
  apply(subrequest, preparation);
  return call;
}

IntrospectionCall *call_of(const ngx_http_request_t *r) noexcept {
  return r->post_subrequest != nullptr && r->post_subrequest->handler == finish_capture
             ? static_cast<IntrospectionCall *>(r->post_subrequest->data)
             : nullptr;
}

IntrospectionCall *call_above(const ngx_http_request_t *r) noexcept {
  for (; r != nullptr; r = r->parent) {
    if (IntrospectionCall *call = call_of(r)) {
      return call;
    }
  }
  return nullptr;
}

bool introspection_key(const ngx_http_request_t *r, std::string_view endpoint, std::string_view token,
                       char *hex) noexcept {
  const auto *cscf = static_cast<ngx_http_core_srv_conf_t *>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
  auto *server = static_cast<phantom_token_server_t *>(ngx_http_get_module_srv_conf(r, ngx_http_phantom_token_module));
  const std::string_view parts[] = {
      "introspection", token, endpoint, view(cscf->server_name), view({server->ordinal_length, server->ordinal}),
  };
  return oauth::cache_key({parts, std::size(parts)}, hex);
}

}  // namespace gateway
