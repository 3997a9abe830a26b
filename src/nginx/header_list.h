#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>

#include "strings.h"

namespace nginx {

/// A walk over a list of headers, which nginx keeps in parts: `for (ngx_table_elt_t &header : HeaderList(list))`.
/// Headers that have been taken back, whose hash is 0, are among them.
class HeaderList {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = ngx_table_elt_t;
    using difference_type = std::ptrdiff_t;
    using pointer = ngx_table_elt_t *;
    using reference = ngx_table_elt_t &;

    explicit Iterator(const ngx_list_part_t *part) noexcept : part_(part) { skip_ended_parts(); }

    ngx_table_elt_t &operator*() const noexcept { return static_cast<ngx_table_elt_t *>(part_->elts)[place_]; }
    ngx_table_elt_t *operator->() const noexcept { return &**this; }
    bool operator==(const Iterator &other) const noexcept { return part_ == other.part_ && place_ == other.place_; }
    bool operator!=(const Iterator &other) const noexcept { return !(*this == other); }

    Iterator &operator++() noexcept {
      place_++;
      skip_ended_parts();
      return *this;
    }

   private:
    void skip_ended_parts() noexcept {
      while (part_ != nullptr && place_ >= part_->nelts) {
        part_ = part_->next;
        place_ = 0;
      }
    }

    const ngx_list_part_t *part_;
    ngx_uint_t place_ = 0;
  };

  explicit HeaderList(const ngx_list_t &list) noexcept : list_(list) {}

  Iterator begin() const noexcept { return Iterator(&list_.part); }
  Iterator end() const noexcept { return Iterator(nullptr); }

 private:
  const ngx_list_t &list_;
};

/// @return the first header of that name that has not been taken back, or nullptr.
inline ngx_table_elt_t *find_header(const ngx_list_t &headers, std::string_view name) noexcept {
  for (ngx_table_elt_t &header : HeaderList(headers)) {
    if (header.hash != 0 && equal_ignoring_case(to_view(header.key), name)) {
      return &header;
    }
  }
  return nullptr;
}

/// Takes back all headers of that name that a response has.
inline void hide_headers(ngx_http_request_t *r, std::string_view name) noexcept {
  while (ngx_table_elt_t *header = find_header(r->headers_out.headers, name)) {
    header->hash = 0;
  }
}

/// @return where nginx keeps a pointer to this header beside the list; nullptr where it keeps none.
ngx_table_elt_t **find_header_field(ngx_http_headers_in_t &headers_in, const ngx_http_header_t &known) noexcept;

/// Copies a request's headers with their list, so that whoever changes one does not change the other: a subrequest's
/// are a copy of the parent's that shares the list.
/// @param left_out the name of headers that do not come along; empty: all come.
/// @return false where there is no memory.
bool copy_headers(ngx_pool_t *pool, const ngx_http_headers_in_t &from, ngx_http_headers_in_t &to,
                  std::string_view left_out) noexcept;

/// Gives the request these headers.
void use_headers(ngx_http_request_t *r, const ngx_http_headers_in_t &headers_in) noexcept;

}  // namespace nginx
