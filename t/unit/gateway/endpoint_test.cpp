#include "gateway/configuration/endpoint.h"

#include <gtest/gtest.h>

#include <string_view>

namespace gateway {
namespace {

TEST(SplitEndpoint, TakesTheUriApartAtTheFirstQuestionMark) {
  struct Case {
    std::string_view uri;
    std::string_view path;
    std::string_view arguments;
  };
  const Case cases[] = {
      {"", "", ""},
      {"/_introspect", "/_introspect", ""},
      {"/_introspect?", "/_introspect", ""},
      {"/_introspect?realm=a", "/_introspect", "realm=a"},
      {"/_introspect?a?b?", "/_introspect", "a?b?"},
      {"?a", "", "a"},
  };
  for (const Case &row : cases) {
    const Endpoint endpoint = split_endpoint(row.uri);
    EXPECT_EQ(endpoint.path, row.path) << row.uri;
    EXPECT_EQ(endpoint.arguments, row.arguments) << row.uri;
  }
}

/// @param has_variables whether nginx has compiled it for evaluation.
ngx_http_complex_value_t complex_value(std::string_view text, bool has_variables) {
  static ngx_array_t lengths = {};
  ngx_http_complex_value_t value = {};
  value.value = to_ngx_str(text);
  value.lengths = has_variables ? &lengths : nullptr;
  return value;
}

TEST(Endpoint, IsConstantWithoutVariablesAndItsPathWhereNoneIsInIt) {
  struct Case {
    std::string_view text;
    bool has_variables;
    bool is_constant;
    bool has_constant_path;
  };
  const Case cases[] = {
      {"/_introspect", false, true, true},
      {"/_introspect?a=b", false, true, true},
      {"/_$", false, true, true},
      {"/_introspect?$host", true, false, true},
      {"/_introspect?a?$host", true, false, true},
      {"/_$host", true, false, false},
      {"/_$host?a=b", true, false, false},
      {"$endpoint", true, false, false},
  };
  for (const Case &row : cases) {
    const ngx_http_complex_value_t endpoint = complex_value(row.text, row.has_variables);
    EXPECT_EQ(is_constant(endpoint), row.is_constant) << row.text;
    EXPECT_EQ(has_constant_path(endpoint), row.has_constant_path) << row.text;
  }
}

}  // namespace
}  // namespace gateway
