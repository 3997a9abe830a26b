#include "gateway/configuration/server_identity.h"

#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <vector>

#include "requests.h"

namespace gateway {
namespace {

TEST(ServerIdentity, NumbersTheServersOfEachName) {
  struct Case {
    std::string_view name;
    std::string_view ordinal;
  };
  const std::vector<Case> cases = {{"a", "0"}, {"a", "1"}, {"", "0"}, {"a", "2"}, {"b", "0"}, {"", "1"}, {"A", "0"}};

  std::vector<std::unique_ptr<Server>> servers;
  std::vector<ngx_http_core_srv_conf_t *> listed;
  for (const Case &row : cases) {
    servers.push_back(std::make_unique<Server>(row.name, "unset"));
    listed.push_back(&servers.back()->core());
  }
  ngx_http_core_main_conf_t main = {};
  main.servers.elts = listed.data();
  main.servers.nelts = listed.size();
  void *main_configurations[] = {&main, nullptr};
  ngx_http_conf_ctx_t context = {};
  context.main_conf = main_configurations;
  ngx_conf_t cf = {};
  cf.ctx = &context;

  number_servers(&cf);

  for (std::size_t i = 0; i < cases.size(); ++i) {
    const ServerIdentity identity = server_identity(servers[i]->core());
    EXPECT_EQ(identity.name, cases[i].name) << i;
    EXPECT_EQ(identity.ordinal, cases[i].ordinal) << i;
  }
}

}  // namespace
}  // namespace gateway
