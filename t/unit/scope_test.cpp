#include "oauth/scope.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

struct Case {
  std::vector<std::string_view> required;
  std::string_view granted;  ///< JSON; empty: the claim is absent
  bool all;
  bool any;
};

bool satisfied(const Case &test, ScopeMatch match) {
  TestMemory memory;
  const TestText text(test.granted);
  const char *problem = nullptr;
  const JsonValue *granted = nullptr;
  if (!test.granted.empty()) {
    granted = parse_json(text.data(), text.size(), memory, problem);
    EXPECT_NE(granted, nullptr) << test.granted << ": " << problem;
  }
  return scopes_satisfied({test.required.data(), test.required.size()}, match, granted);
}

TEST(Scope, IsSatisfiedByAllOrAny) {
  const Case cases[] = {
      // none required
      {{}, "", true, true},
      {{}, R"("a")", true, true},
      {{}, "7", true, true},
      // one required
      {{"read"}, R"("read")", true, true},
      {{"read"}, R"("write read")", true, true},
      {{"read"}, R"("read write")", true, true},
      {{"read"}, R"("a read b")", true, true},
      {{"read"}, R"("readonly")", false, false},
      {{"readonly"}, R"("read")", false, false},
      {{"read"}, R"("xread")", false, false},
      {{"read"}, R"("read:x")", false, false},
      {{"read"}, R"("Read")", false, false},
      {{"read"}, R"("")", false, false},
      {{"read"}, R"("   ")", false, false},
      // two required
      {{"a", "b"}, R"("a b")", true, true},
      {{"a", "b"}, R"("b c a")", true, true},
      {{"a", "b"}, R"("a")", false, true},
      {{"a", "b"}, R"("b")", false, true},
      {{"a", "b"}, R"("c")", false, false},
      {{"a", "b"}, R"("ab")", false, false},
      {{"a", "a"}, R"("a")", true, true},
      // odd spaces; space is the only delimiter
      {{"a", "b"}, R"("  a   b  ")", true, true},
      {{"a", "b"}, R"("a\tb")", false, false},
      {{"a", "b"}, R"("a\nb")", false, false},
      {{"a", "b"}, R"("a,b")", false, false},
      {{"a"}, R"("a\u0000")", false, false},
      {{"a"}, R"("a\u0000 a")", true, true},
      // arrays
      {{"a", "b"}, R"(["a","b"])", true, true},
      {{"a", "b"}, R"(["b"])", false, true},
      {{"a", "b"}, R"(["a b"])", false, false},
      {{"a"}, R"([])", false, false},
      {{"a"}, R"([["a"]])", false, false},
      {{"a"}, R"([1,null,{"a":"a"},"a"])", false, false},
      {{"a"}, R"(["a",1])", false, false},
      {{"a"}, R"([{"a":"a"}])", false, false},
      {{"true"}, R"([true])", false, false},
      {{"7"}, R"([7])", false, false},
      // neither string nor array
      {{"a"}, "", false, false},
      {{"a"}, "null", false, false},
      {{"true"}, "true", false, false},
      {{"7"}, "7", false, false},
      {{"a"}, R"({"a":true})", false, false},
      {{"a"}, R"({"x":"a"})", false, false},
      // prefixes
      {{"invoice_*"}, R"("invoice_read")", true, true},
      {{"invoice_*"}, R"("x invoice_write")", true, true},
      {{"invoice_*"}, R"("invoice_")", true, true},
      {{"invoice_*"}, R"("invoice")", false, false},
      {{"invoice_*"}, R"("xinvoice_read")", false, false},
      {{"invoice_*"}, R"(["order","invoice_read"])", true, true},
      {{"invoice_*"}, R"([""])", false, false},
      {{"invoice_*", "order_*"}, R"("invoice_read")", false, true},
      {{"invoice_*", "order_*"}, R"("order_x invoice_y")", true, true},
      // a granted scope is no pattern
      {{"invoice_read"}, R"("invoice_*")", false, false},
      {{"a"}, R"("*")", false, false},
  };
  for (const Case &test : cases) {
    const std::string_view first = test.required.empty() ? "nothing" : test.required.front();
    EXPECT_EQ(satisfied(test, ScopeMatch::all), test.all) << first << ", all of them in " << test.granted;
    EXPECT_EQ(satisfied(test, ScopeMatch::any), test.any) << first << ", any of them in " << test.granted;
  }
}

TEST(RequiredScope, IsAScopeToken) {
  for (const std::string_view scope : {"a"sv, "read"sv, "urn:x:y"sv, "https://api.example.com/read"sv, "!"sv, "#[]~"sv,
                                       "a-b_c.d"sv, "invoice_*"sv, "a*"sv}) {
    EXPECT_TRUE(is_required_scope(scope)) << scope;
  }
  for (const std::string_view scope : {""sv, " "sv, "a b"sv, "a\tb"sv, "a\"b"sv, "a\\b"sv, "a\nb"sv, "a\0b"sv,
                                       "a\x7F"sv, "caf\xC3\xA9"sv, "*"sv, "**"sv, "*a"sv, "a*b"sv, "a**"sv, "a*b*"sv}) {
    EXPECT_FALSE(is_required_scope(scope)) << scope;
  }
}

TEST(RequiredScope, TakesTheCharactersOfRfc6749) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool expected = byte == 0x21 || (byte >= 0x23 && byte <= 0x5B) || (byte >= 0x5D && byte <= 0x7E);
    const std::string scope = {'a', static_cast<char>(byte)};
    EXPECT_EQ(is_required_scope(scope), expected) << byte;
  }
}

}  // namespace
}  // namespace oauth
