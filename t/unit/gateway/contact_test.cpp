#include "gateway/subrequest/contact.h"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <set>
#include <string_view>

#include "nginx/strings.h"

namespace gateway {
namespace {

constexpr auto not_connected = static_cast<ngx_msec_t>(-1);

/// A subrequest that has come to proxy_pass, and a server that has been tried.
struct Attempt {
  Attempt() {
    state.connect_time = not_connected;
    upstream->state = &state;
    subrequest->upstream = upstream.get();
  }

  ngx_http_upstream_state_t state = {};
  ngx_http_upstream_resolved_t resolved = {};
  std::unique_ptr<ngx_http_upstream_t> upstream = std::make_unique<ngx_http_upstream_t>();
  std::unique_ptr<ngx_http_request_t> subrequest = std::make_unique<ngx_http_request_t>();
};

TEST(ContactOfResponse, IsNginxWithoutAnUpstream) {
  Attempt attempt;
  EXPECT_EQ(contact_of_response(*attempt.subrequest), Contact::server);
  attempt.subrequest->upstream = nullptr;
  EXPECT_EQ(contact_of_response(*attempt.subrequest), Contact::nginx);
  EXPECT_EQ(contact_of_failure(*attempt.subrequest, 502), Contact::nginx);
}

#if (NGX_HTTP_CACHE)

TEST(Contact, IsTheCacheWhereItHasAnsweredInTheServersPlace) {
  struct Case {
    ngx_uint_t status;
    bool is_out_of_cache;
  };
  const Case cases[] = {
      {0, false},
      {NGX_HTTP_CACHE_MISS, false},
      {NGX_HTTP_CACHE_BYPASS, false},
      {NGX_HTTP_CACHE_EXPIRED, false},
      {NGX_HTTP_CACHE_STALE, true},
      {NGX_HTTP_CACHE_UPDATING, true},
      {NGX_HTTP_CACHE_REVALIDATED, true},
      {NGX_HTTP_CACHE_HIT, true},
  };
  for (const Case &row : cases) {
    Attempt attempt;
    attempt.upstream->cache_status = row.status;
    EXPECT_EQ(contact_of_response(*attempt.subrequest), row.is_out_of_cache ? Contact::cache : Contact::server)
        << row.status;
    EXPECT_EQ(contact_of_failure(*attempt.subrequest, 502), row.is_out_of_cache ? Contact::cache : Contact::unconnected)
        << row.status;
  }
}

#endif

TEST(ContactOfFailure, IsUnresolvedWhereNoServerHasBeenTriedForWantOfAnAddress) {
  struct Case {
    bool has_variables;
    unsigned status;
    Contact contact;
  };
  for (const Case &row : {Case{true, 502, Contact::unresolved},
                          {true, 500, Contact::nginx},
                          {true, 504, Contact::nginx},
                          {false, 502, Contact::nginx}}) {
    Attempt attempt;
    attempt.upstream->state = nullptr;
    attempt.upstream->resolved = row.has_variables ? &attempt.resolved : nullptr;
    EXPECT_EQ(contact_of_failure(*attempt.subrequest, row.status), row.contact) << row.has_variables << row.status;
  }
}

struct AttemptCase {
  unsigned status;
  bool connected;
  bool by_tls;
  off_t bytes_received;
  bool kept;
  unsigned status_of_server;
  Contact contact;
};

std::ostream &operator<<(std::ostream &out, const AttemptCase &row) {
  return out << "status " << row.status << (row.connected ? ", connected" : ", not connected")
             << (row.by_tls ? ", TLS" : "") << ", " << row.bytes_received << " bytes" << (row.kept ? ", kept" : "")
             << ", the server's status " << row.status_of_server;
}

TEST(ContactOfFailure, IsWhatTheLastAttemptCameTo) {
  const AttemptCase cases[] = {
      {502, false, false, 0, false, 0, Contact::unconnected},
      {502, false, true, 0, false, 0, Contact::tls_unconnected},
      {502, false, false, 9, true, 0, Contact::unconnected},  // what is left over from the attempt before
      {502, false, false, 0, false, 502, Contact::unconnected},
      {502, true, false, 0, false, 0, Contact::closed},
      {502, true, true, 0, false, 0, Contact::closed},
      {502, true, false, 0, true, 0, Contact::kept_closed},
      {502, true, false, 9, false, 0, Contact::unreadable},
      {502, true, false, 9, true, 0, Contact::unreadable},
      {504, false, false, 0, false, 0, Contact::connect_timeout},
      {504, false, true, 0, false, 0, Contact::connect_timeout},
      {504, true, false, 0, false, 0, Contact::response_timeout},
      {504, true, false, 9, true, 0, Contact::response_timeout},
      {500, false, false, 0, false, 0, Contact::nginx},
      {500, true, false, 0, false, 0, Contact::nginx},
      {499, true, false, 0, false, 0, Contact::nginx},
      {502, true, false, 9, false, 502, Contact::server},
      {504, true, false, 9, false, 504, Contact::server},
      {404, true, false, 9, false, 404, Contact::server},
      {502, true, false, 9, false, 404, Contact::unreadable},
  };
  for (const AttemptCase &row : cases) {
    Attempt attempt;
    attempt.state.connect_time = row.connected ? 0 : not_connected;
    attempt.state.bytes_received = row.bytes_received;
    attempt.upstream->ssl = row.by_tls;
    attempt.upstream->peer.cached = row.kept;
    attempt.upstream->headers_in.status_n = row.status_of_server;
    EXPECT_EQ(contact_of_failure(*attempt.subrequest, row.status), row.contact) << row;
  }
}

TEST(Explain, NamesTheDirectiveToLookAtUnlessTheServerHasSpoken) {
  EXPECT_EQ(explain(Contact::server), nullptr);
  EXPECT_EQ(explain(Contact::cache), nullptr);

  struct Case {
    Contact contact;
    std::string_view word;
  };
  const Case cases[] = {
      {Contact::nginx, "\"proxy_pass\""},
      {Contact::unresolved, "\"resolver\""},
      {Contact::unconnected, "no connection"},
      {Contact::tls_unconnected, "\"proxy_ssl_protocols TLSv1.2 TLSv1.3;\""},
      {Contact::connect_timeout, "\"proxy_connect_timeout\""},
      {Contact::response_timeout, "\"proxy_send_timeout\""},
      {Contact::late, "\"proxy_read_timeout\""},
      {Contact::overdue, "\"phantom_token_response_timeout\""},
      {Contact::closed, "\"proxy_pass\" says \"http\""},
      {Contact::kept_closed, "\"proxy_next_upstream"},
      {Contact::unreadable, "\"proxy_buffer_size\""},
  };
  std::set<std::string_view> explanations;
  for (const Case &row : cases) {
    ASSERT_NE(explain(row.contact), nullptr) << row.word;
    EXPECT_NE(std::string_view(explain(row.contact)).find(row.word), std::string_view::npos) << row.word;
    explanations.insert(explain(row.contact));
  }
  EXPECT_EQ(explanations.size(), std::size(cases));
}

TEST(RedirectTarget, IsTheServersOwnWhateverProxyRedirectMakesOfIt) {
  ngx_table_elt_t of_server = {};
  of_server.value = to_ngx_str("https://as.example/");
  ngx_table_elt_t changed = {};
  changed.value = to_ngx_str("https://gateway.example/");
  Attempt attempt;
  attempt.upstream->headers_in.location = &of_server;
  attempt.subrequest->headers_out.location = &changed;

  struct Case {
    unsigned status;
    bool is_redirect;
  };
  for (const Case &row : {Case{200, false}, {299, false}, {300, true}, {302, true}, {399, true}, {400, false}}) {
    EXPECT_EQ(to_view(redirect_target(*attempt.subrequest, row.status)), row.is_redirect ? "https://as.example/" : "")
        << row.status;
  }
  attempt.upstream->headers_in.location = nullptr;
  EXPECT_EQ(redirect_target(*attempt.subrequest, 302).len, 0U);
  attempt.subrequest->upstream = nullptr;
  EXPECT_EQ(to_view(redirect_target(*attempt.subrequest, 302)), "https://gateway.example/");
  attempt.subrequest->headers_out.location = nullptr;
  EXPECT_EQ(redirect_target(*attempt.subrequest, 302).len, 0U);
}

}  // namespace
}  // namespace gateway
