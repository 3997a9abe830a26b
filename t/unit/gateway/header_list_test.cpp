#include "nginx/header_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../test_memory.h"
#include "nginx_stub.h"

namespace nginx {
namespace {

using nginx_stub::Pool;

ngx_table_elt_t header(std::string_view name, std::string_view value, ngx_uint_t hash = 1) {
  ngx_table_elt_t element = {};
  element.hash = hash;
  element.key = to_ngx_str(name);
  element.value = to_ngx_str(value);
  return element;
}

/// The headers of a request, in parts.
class Headers {
 public:
  using Part = std::vector<ngx_table_elt_t>;
  using Parts = std::vector<Part>;

  explicit Headers(Parts parts) : parts_(std::move(parts)), links_(parts_.size()) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      ngx_list_part_t &link = i == 0 ? in.headers.part : links_[i];
      link.elts = parts_[i].data();
      link.nelts = parts_[i].size();
      link.next = i + 1 < parts_.size() ? &links_[i + 1] : nullptr;
      in.headers.last = &link;
    }
    in.headers.size = sizeof(ngx_table_elt_t);
  }
  Headers(const Headers &) = delete;
  Headers &operator=(const Headers &) = delete;

  ngx_table_elt_t &at(std::size_t part, std::size_t place) { return parts_[part][place]; }

  ngx_http_headers_in_t in = {};

 private:
  Parts parts_;
  std::vector<ngx_list_part_t> links_;
};

std::string values(const ngx_http_headers_in_t &headers) {
  std::string all;
  for (const ngx_table_elt_t &element : HeaderList(headers.headers)) {
    all += to_view(element.value);
    all += ' ';
  }
  return all;
}

/// Two headers, none, one that has been taken back and one more, each part with its own.
Headers in_parts() {
  return Headers({{header("Host", "a"), header("Authorization", "b")},
                  {},
                  {header("Cookie", "c", 0), header("cookie", "d")},
                  {header("X-Other", "e")}});
}

ngx_table_elt_t *copy_of(const ngx_http_headers_in_t &headers, std::size_t place) {
  return static_cast<ngx_table_elt_t *>(headers.headers.part.elts) + place;
}

TEST(HeaderList, GoesThroughAllParts) {
  EXPECT_EQ(values(in_parts().in), "a b c d e ");
  EXPECT_EQ(values(Headers(Headers::Parts{{}}).in), "");
  EXPECT_EQ(values(Headers(Headers::Parts{{}, {}, {}}).in), "");
  EXPECT_EQ(values(Headers({{}, {header("Host", "a")}, {}}).in), "a ");
}

TEST(FindHeader, FindsTheFirstOfTheNameThatHasNotBeenTakenBack) {
  Headers headers = in_parts();
  EXPECT_EQ(find_header(headers.in.headers, "HOST"), &headers.at(0, 0));
  EXPECT_EQ(find_header(headers.in.headers, "Cookie"), &headers.at(2, 1));
  EXPECT_EQ(find_header(headers.in.headers, "x-other"), &headers.at(3, 0));
  EXPECT_EQ(find_header(headers.in.headers, "X-Othe"), nullptr);
  EXPECT_EQ(find_header(headers.in.headers, ""), nullptr);
}

TEST(FindHeaderField, IsThatOfNginxWhereThereIsOne) {
  ngx_http_headers_in_t in = {};
  EXPECT_EQ(find_header_field(in, ngx_http_headers_in[nginx_stub::known_host]), &in.host);
  EXPECT_EQ(find_header_field(in, ngx_http_headers_in[nginx_stub::known_authorization]), &in.authorization);
  EXPECT_EQ(find_header_field(in, ngx_http_headers_in[nginx_stub::known_without_field]), nullptr);
#if (nginx_version >= 1023000)
  EXPECT_EQ(find_header_field(in, ngx_http_headers_in[nginx_stub::known_cookie]), &in.cookie);
#else
  EXPECT_EQ(find_header_field(in, ngx_http_headers_in[nginx_stub::known_cookie]), nullptr);
#endif
}

TEST(CopyHeaders, KeepsTheOrderAndLeavesOutAName) {
  Headers headers = in_parts();
  struct Case {
    std::string_view left_out;
    std::string_view values;
  };
  for (const Case &row : {Case{"", "a b c d e "},
                          {"X-None", "a b c d e "},
                          {"host", "b c d e "},
                          {"Cookie", "a b e "},
                          {"X-OTHER", "a b c d "}}) {
    Pool pool;
    ngx_http_headers_in_t copy = {};
    ASSERT_TRUE(copy_headers(&pool, headers.in, copy, row.left_out));
    EXPECT_EQ(values(copy), row.values);
  }
  EXPECT_EQ(values(headers.in), "a b c d e ");
}

TEST(CopyHeaders, IsOnePartWithRoomForOneMore) {
  Headers headers = in_parts();
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, {}));
  EXPECT_EQ(copy.headers.part.nelts, 5U);
  EXPECT_EQ(copy.headers.nalloc, 6U);
  EXPECT_EQ(copy.headers.part.next, nullptr);
  EXPECT_EQ(copy.headers.last, &copy.headers.part);
}

TEST(CopyHeaders, DoesNotChangeWithTheOriginal) {
  Headers headers = in_parts();
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, {}));
  headers.at(0, 0).value = to_ngx_str("changed");
  copy_of(copy, 1)->value = to_ngx_str("replaced");
  EXPECT_EQ(values(copy), "a replaced c d e ");
  EXPECT_EQ(values(headers.in), "changed b c d e ");
}

TEST(CopyHeaders, LeadsTheFieldsToTheCopies) {
  Headers headers = in_parts();
  headers.in.host = &headers.at(0, 0);
  headers.in.authorization = &headers.at(3, 0);
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, {}));
  EXPECT_EQ(copy.host, copy_of(copy, 0));
  EXPECT_EQ(copy.authorization, copy_of(copy, 4));
  EXPECT_EQ(headers.in.host, &headers.at(0, 0));
}

TEST(CopyHeaders, LeadsTheFieldsPastTheOneThatIsLeftOut) {
  Headers headers = in_parts();
  headers.in.host = &headers.at(0, 0);
  headers.in.authorization = &headers.at(0, 1);
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, "Host"));
  EXPECT_EQ(copy.host, nullptr);
  EXPECT_EQ(copy.authorization, copy_of(copy, 0));
}

TEST(CopyHeaders, LeavesAFieldAloneThatIsNotOnTheList) {
  Headers headers = in_parts();
  ngx_table_elt_t elsewhere = header("Host", "x");
  headers.in.host = &elsewhere;
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, {}));
  EXPECT_EQ(copy.host, &elsewhere);
  EXPECT_EQ(copy.authorization, nullptr);
}

#if (nginx_version >= 1023000)

TEST(CopyHeaders, LeadsHeadersOfOneNameToTheCopies) {
  Headers headers = in_parts();
  headers.in.cookie = &headers.at(2, 0);
  headers.at(2, 0).next = &headers.at(2, 1);
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, "Host"));
  EXPECT_EQ(copy.cookie, copy_of(copy, 1));
  EXPECT_EQ(copy.cookie->next, copy_of(copy, 2));
  EXPECT_EQ(copy.cookie->next->next, nullptr);
}

#else

TEST(CopyHeaders, LeadsHeadersOfOneNameToTheCopies) {
  Headers headers = in_parts();
  ngx_table_elt_t *cookies[] = {&headers.at(2, 0), &headers.at(2, 1)};
  headers.in.cookies = {cookies, 2, sizeof(cookies[0]), 2, nullptr};
  Pool pool;
  ngx_http_headers_in_t copy = {};
  ASSERT_TRUE(copy_headers(&pool, headers.in, copy, "Host"));
  ASSERT_EQ(copy.cookies.nelts, 2U);
  EXPECT_EQ(static_cast<ngx_table_elt_t **>(copy.cookies.elts)[0], copy_of(copy, 1));
  EXPECT_EQ(static_cast<ngx_table_elt_t **>(copy.cookies.elts)[1], copy_of(copy, 2));
  EXPECT_EQ(cookies[0], &headers.at(2, 0));
}

#endif

TEST(CopyHeaders, FailsWithoutMemory) {
  Headers headers = in_parts();
#if (nginx_version < 1023000)
  ngx_table_elt_t *cookies[] = {&headers.at(2, 0)};
  headers.in.cookies = {cookies, 1, sizeof(cookies[0]), 1, nullptr};
#endif
  jose::expect_refusal_without_memory<Pool>([&headers](Pool &pool) {
    ngx_http_headers_in_t copy = {};
    return copy_headers(&pool, headers.in, copy, {});
  });
}

TEST(UseHeaders, MovesTheListThatPointsIntoItself) {
  const Headers one_part({{header("Host", "a")}});
  const auto r = std::make_unique<ngx_http_request_t>();
  use_headers(r.get(), one_part.in);
  EXPECT_EQ(r->headers_in.headers.last, &r->headers_in.headers.part);
  EXPECT_EQ(values(r->headers_in), "a ");

  const Headers more_parts = in_parts();
  use_headers(r.get(), more_parts.in);
  EXPECT_EQ(r->headers_in.headers.last, more_parts.in.headers.last);
  EXPECT_EQ(values(r->headers_in), "a b c d e ");
}

}  // namespace
}  // namespace nginx
