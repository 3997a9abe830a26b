#include "response.h"

#include "strings.h"

namespace nginx {

ngx_table_elt_t *push_header(ngx_http_request_t *r, std::string_view name, std::string_view value) noexcept {
  auto *header = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_out.headers));
  if (header != nullptr) {
    *header = {};
    header->hash = 1;
    header->key = to_ngx_str(name);
    header->value = to_ngx_str(value);
  }
  return header;
}

namespace {

ngx_int_t send_header(ngx_http_request_t *r, ngx_uint_t status, const MediaType &media_type,
                      std::string_view text) noexcept {
  r->headers_out.status = status;
  r->headers_out.content_length_n = static_cast<off_t>(text.size());
  r->headers_out.content_type = to_ngx_str(media_type.with_parameters);
  // Without the parameters: so gzip_types compares it, and no second charset is added.
  r->headers_out.content_type_len = media_type.size;
  return ngx_http_send_header(r);
}

}  // namespace

ngx_int_t send_response(ngx_http_request_t *r, ngx_uint_t status, const MediaType &media_type,
                        std::string_view text) noexcept {
  auto *buffer = static_cast<ngx_buf_t *>(ngx_calloc_buf(r->pool));
  if (buffer == nullptr) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  const ngx_str_t bytes = to_ngx_str(text);
  buffer->pos = bytes.data;
  buffer->last = bytes.data + bytes.len;
  buffer->memory = text.empty() ? 0 : 1;
  buffer->last_buf = r == r->main ? 1 : 0;
  buffer->last_in_chain = 1;
  buffer->sync = text.empty() && r != r->main ? 1 : 0;  // nginx logs an error of an empty buffer that means nothing
  const ngx_int_t rc = send_header(r, status, media_type, text);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only != 0) {
    return rc;
  }
  ngx_chain_t out = {buffer, nullptr};
  return ngx_http_output_filter(r, &out);
}

ngx_int_t send_page(ngx_http_request_t *r, const MediaType &media_type, std::string_view text) noexcept {
  return send_response(r, NGX_HTTP_OK, media_type, text);
}

}  // namespace nginx
