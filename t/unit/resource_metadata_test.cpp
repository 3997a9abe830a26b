#include "oauth/resource_metadata.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using List = std::vector<std::string_view>;

std::string write(std::string_view resource, const List &servers, const List &scopes, bool accepts_header = true) {
  ResourceMetadata metadata;
  metadata.resource = resource;
  metadata.authorization_servers = {servers.data(), servers.size()};
  metadata.scopes = {scopes.data(), scopes.size()};
  metadata.accepts_header = accepts_header;
  TestMemory memory;
  std::string_view text;
  EXPECT_TRUE(write_text(
      memory, [&metadata](Writer &writer) { put_resource_metadata(writer, metadata); }, text));
  return std::string(text);
}

std::string metadata_url(std::string_view resource) {
  HttpUrl url;
  EXPECT_TRUE(parse_http_url(resource, url)) << resource;
  TestMemory memory;
  std::string_view text;
  EXPECT_TRUE(write_text(
      memory, [&url](Writer &writer) { put_resource_metadata_url(writer, url); }, text));
  return std::string(text);
}

TEST(ResourceMetadata, HasItsMembers) {
  EXPECT_EQ(
      write("https://api.example/orders", {"https://as.example", "https://b.example/realms/x"}, {"read", "write"}),
      R"({"resource":"https://api.example/orders",)"
      R"("authorization_servers":["https://as.example","https://b.example/realms/x"],)"
      R"("scopes_supported":["read","write"],"bearer_methods_supported":["header"]})"
      "\n");
}

TEST(ResourceMetadata, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(write("https://a", {}, {}), "{\"resource\":\"https://a\",\"bearer_methods_supported\":[\"header\"]}\n");
  EXPECT_EQ(write("https://a", {}, {}, false), "{\"resource\":\"https://a\"}\n");
}

// RFC 9728 section 2
TEST(ResourceMetadata, SaysHowTokensAreBound) {
  const std::string_view algorithms[] = {"ES256", "EdDSA", "ES256"};
  const auto text = [&algorithms](std::size_t count, bool requires_dpop, bool accepts_certificates) {
    ResourceMetadata metadata;
    metadata.resource = "https://a";
    metadata.accepts_header = false;
    metadata.dpop_algorithms = {algorithms, count};
    metadata.requires_dpop = requires_dpop;
    metadata.accepts_certificates = accepts_certificates;
    TestMemory memory;
    std::string_view written;
    EXPECT_TRUE(write_text(
        memory, [&metadata](Writer &writer) { put_resource_metadata(writer, metadata); }, written));
    return std::string(written);
  };
  const std::string list = R"(,"dpop_signing_alg_values_supported":["ES256","EdDSA"])";
  const std::string required = R"(,"dpop_bound_access_tokens_required":true)";
  const std::string certificates = R"(,"tls_client_certificate_bound_access_tokens":true)";
  const std::string begin = R"({"resource":"https://a")";
  EXPECT_EQ(text(0, false, false), begin + "}\n");
  EXPECT_EQ(text(2, false, false), begin + list + "}\n");
  EXPECT_EQ(text(3, true, false), begin + list + required + "}\n");
  EXPECT_EQ(text(2, true, true), begin + list + required + certificates + "}\n");
  EXPECT_EQ(text(0, false, true), begin + certificates + "}\n");
}

TEST(ResourceMetadata, NamesEachOnce) {
  EXPECT_EQ(write("https://a", {"https://b", "https://c", "https://b"}, {"r", "w", "r", "w"}, false),
            R"({"resource":"https://a","authorization_servers":["https://b","https://c"],"scopes_supported":["r","w"]})"
            "\n");
}

TEST(ResourceMetadata, LeavesOutScopesWhereOneStandsForMany) {
  for (const List &scopes : {List{"invoice_*"}, List{"read", "invoice_*"}, List{"invoice_*", "read"}}) {
    EXPECT_EQ(write("https://a", {}, scopes, false), "{\"resource\":\"https://a\"}\n");
  }
}

TEST(ResourceMetadata, LeavesOutWhatIsNoIssuerIdentifier) {
  EXPECT_EQ(write("https://a", {"accounts.example", "https://b?c", "https://b#c", "https://b", ""}, {}, false),
            "{\"resource\":\"https://a\",\"authorization_servers\":[\"https://b\"]}\n");
  EXPECT_EQ(write("https://a", {"accounts.example"}, {}, false), "{\"resource\":\"https://a\"}\n");
}

TEST(ResourceMetadata, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(write("\"\\\n", {}, {"\"", "\\"}, false), R"({"resource":"\"\\\u000a","scopes_supported":["\"","\\"]})"
                                                      "\n");
}

TEST(ResourceMetadata, KnowsIssuerIdentifiers) {
  for (const std::string_view good : {"https://as.example", "http://localhost:8080/realms/x", "https://[::1]/"}) {
    EXPECT_TRUE(is_issuer_identifier(good)) << good;
  }
  for (const std::string_view bad : {"", "as.example", "https://a?", "https://a?b", "https://a#", "urn:a", "ftp://a"}) {
    EXPECT_FALSE(is_issuer_identifier(bad)) << bad;
  }
}

// RFC 9728 section 3.1 has the first two rows.
TEST(ResourceMetadata, IsWhereRfc9728Section31PutsIt) {
  const std::string known = "/.well-known/oauth-protected-resource";
  EXPECT_EQ(metadata_url("https://resource.example.com"), "https://resource.example.com" + known);
  EXPECT_EQ(metadata_url("https://resource.example.com/resource1"),
            "https://resource.example.com" + known + "/resource1");
  EXPECT_EQ(metadata_url("https://a/"), "https://a" + known);
  EXPECT_EQ(metadata_url("https://a/b/"), "https://a" + known + "/b/");
  EXPECT_EQ(metadata_url("https://a/?b=c"), "https://a" + known + "?b=c");
  EXPECT_EQ(metadata_url("https://a?b=c"), "https://a" + known + "?b=c");
  EXPECT_EQ(metadata_url("http://[::1]:8080/b?c=/d"), "http://[::1]:8080" + known + "/b?c=/d");
  EXPECT_EQ(metadata_url("https://a//b"), "https://a" + known + "//b");
}

}  // namespace
}  // namespace oauth
