#include "oauth/claim.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

class Object {
 public:
  explicit Object(std::string_view json) : text_(json) {
    const char *problem = nullptr;
    value_ = parse_json(text_.data(), text_.size(), memory_, problem);
    EXPECT_NE(value_, nullptr) << problem << ": " << json;
  }

  const JsonValue *get() const { return value_; }

  /// @return the text of a claim; `nothing` where there is no such claim.
  std::string text(std::string_view variable_name) {
    const ClaimMatch match = find_claim(value_, variable_name);
    if (match.count != 1) {
      return match.count == 0 ? "nothing" : "several";
    }
    std::string_view text = "unset";
    EXPECT_TRUE(claim_text(*match.claim, memory_, text));
    return std::string(text);
  }

 private:
  TestMemory memory_;
  TestText text_;
  const JsonValue *value_;
};

std::string text(std::string_view value) {
  return Object(R"({"claim":)" + std::string(value) + "}").text("claim");
}

TEST(Claim, IsFoundByTheNameOfAVariable) {
  const struct {
    std::string_view json;
    std::string_view name;
    std::string_view expected;
  } cases[] = {
      {R"({"sub":"a"})", "sub", "a"},
      {R"({"Sub":"a"})", "sub", "a"},
      {R"({"SUB":"a"})", "sub", "a"},
      {R"({"s\u0075b":"a"})", "sub", "a"},
      {R"({"sub":"a"})", "SUB", "nothing"},  // nginx has lowercased it
      {R"({"sub":"a"})", "su", "nothing"},
      {R"({"sub":"a"})", "subs", "nothing"},
      {R"({"sub":"a"})", "", "nothing"},
      {R"({"client-id":"a"})", "client_id", "a"},
      {R"({"Client.Id":"a"})", "client_id", "a"},
      {R"({"client_id":"a"})", "client_id", "a"},
      {R"({"https://example.com/roles":"a"})", "https___example_com_roles", "a"},
      {R"({"a b\t\"":"a"})", "a_b__", "a"},
      {R"({"x5t#S256":"a"})", "x5t_s256", "a"},
      {R"({"0":"a"})", "0", "a"},
      {R"({"_":"a"})", "_", "a"},
      {R"({"-":"a"})", "_", "a"},
      {R"({"[":"a"})", "_", "a"},
      {R"({"@":"a"})", "_", "a"},
      {R"({"`":"a"})", "_", "a"},
      {R"({"{":"a"})", "_", "a"},
      {R"({"/":"a"})", "_", "a"},
      {R"({":":"a"})", "_", "a"},
      {R"({"":"a"})", "", "a"},
      {R"({"x":{"sub":"a"}})", "sub", "nothing"},  // on the top level only
      {R"({})", "sub", "nothing"},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(Object(test.json).text(test.name), test.expected) << test.json << " as " << test.name;
  }
}

// The contract speaks of characters, not of bytes.
TEST(Claim, HasOneUnderscoreForEachCharacterBeyondAscii) {
  EXPECT_EQ(Object("{\"caf\xC3\xA9\":\"a\"}").text("caf_"), "a");
  EXPECT_EQ(Object(R"({"caf\u00e9":"a"})").text("caf_"), "a");
  EXPECT_EQ(Object(R"({"\ud83d\ude00x":"a"})").text("_x"), "a");
}

TEST(Claim, IsNoneWhereTwoMatch) {
  for (const std::string_view json :
       {R"({"a-b":"1","a.b":"2"})"sv, R"({"a_b":"1","a-b":"2"})"sv, R"({"a_b":"1","A_B":"1"})"sv,
        R"({"a-b":1,"x":2,"A_B":false})"sv, R"({"a b":"1","a_b":"2","a/b":"3"})"sv}) {
    EXPECT_EQ(Object(json).text("a_b"), "several") << json;
  }
  EXPECT_EQ(Object(R"({"a-b":"1","a.c":"2"})").text("a_b"), "1");
  EXPECT_EQ(Object(R"({"a-b":null,"a_b":"1","A_B":null})").text("a_b"), "1") << "null counts as absent";
}

TEST(Claim, OfNothingIsNone) {
  EXPECT_EQ(find_claim(nullptr, "sub").count, 0U);
  EXPECT_EQ(find_claim(Object(R"({"sub":null})").get(), "sub").count, 0U);
  for (const std::string_view json : {"1"sv, R"("sub")"sv, "null"sv, "[]"sv}) {
    EXPECT_EQ(find_claim(Object(json).get(), "sub").count, 0U) << json;
  }
}

TEST(Claim, IsTextAsInTheJson) {
  const struct {
    std::string_view value;
    std::string_view expected;
  } cases[] = {
      {R"("alice")", "alice"},
      {R"("")", ""},
      {R"("\u00e9 \"\\\/")", "\xC3\xA9 \"\\/"},
      {R"("\ud83d\ude00")", "\xF0\x9F\x98\x80"},
      {"1", "1"},
      {"-0", "-0"},
      {"1.50", "1.50"},
      {"1E5", "1E5"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"0.1e-7", "0.1e-7"},
      {"true", "true"},
      {"false", "false"},
      {"{}", ""},
      {R"({"a":"b"})", ""},
      {"[]", ""},
      {R"(["a"])", "a"},
      {R"(["a","b"])", "a b"},
      {R"(["a","b","c"])", "a b c"},
      {R"(["a","","b"])", "a  b"},
      {R"([""])", ""},
      {R"(["a\u0062","\u00e9"])", "ab \xC3\xA9"},
      {R"(["a",1])", ""},
      {R"([1,"a"])", ""},
      {"[1,2]", ""},
      {"[true]", ""},
      {"[null]", ""},
      {R"(["a",["b"]])", ""},
      {R"([{}])", ""},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(text(test.value), test.expected) << test.value;
  }
  const std::string number(1000, '7');
  EXPECT_EQ(text(number.substr(0, 300)), number.substr(0, 300));
}

TEST(Claim, IsEmptyWithControlCharacters) {
  for (int c = 0; c < 0x20; ++c) {
    char escape[8];
    std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
    EXPECT_EQ(text("\"" + std::string(escape) + "\""), "") << c;
    EXPECT_EQ(text("\"a" + std::string(escape) + "b\""), "") << c;
    EXPECT_EQ(text("\"ab" + std::string(escape) + "\""), "") << c;
    EXPECT_EQ(text("[\"a\",\"b" + std::string(escape) + "\"]"), "") << c;
  }
  EXPECT_EQ(text("\"a\x7f\""), "");
  EXPECT_EQ(text(R"("a\u007fb")"), "");
  EXPECT_EQ(text(R"("a\r\nX-Evil: 1")"), "");
  EXPECT_EQ(text(R"("a~")"), "a~");
  EXPECT_EQ(text(R"("a b")"), "a b");
}

TEST(Claim, IsRefusedWithoutMemory) {
  const Object object(R"({"aud":["a","b"]})");
  expect_refusal_without_memory([&object](Memory &memory) {
    std::string_view text;
    return claim_text(*object.get()->member("aud"), memory, text);
  });
}

TEST(Claim, OfAStringNeedsNoMemory) {
  const Object object(R"({"sub":"alice","n":1})");
  TestMemory none(0);
  std::string_view text;
  EXPECT_TRUE(claim_text(*object.get()->member("sub"), none, text));
  EXPECT_EQ(text, "alice");
  EXPECT_TRUE(claim_text(*object.get()->member("n"), none, text));
  EXPECT_EQ(text, "1");
}

const JsonValue *at(const Object &object, std::initializer_list<std::string_view> path) {
  return find_claim_at(object.get(), {path.begin(), path.size()});
}

TEST(Claim, IsFoundByItsPath) {
  const Object object(
      R"({"sub":"alice","realm_access":{"roles":["a","b"]},"a.b":{"c d":{"":1}},"none":{"x":null},"list":[{"x":1}]})");
  ASSERT_NE(at(object, {"sub"}), nullptr);
  EXPECT_EQ(at(object, {"sub"})->text, "alice");
  ASSERT_NE(at(object, {"realm_access", "roles"}), nullptr);
  EXPECT_EQ(at(object, {"realm_access", "roles"})->kind, JsonKind::array);
  ASSERT_NE(at(object, {"a.b", "c d", ""}), nullptr);
  EXPECT_EQ(at(object, {"a.b", "c d", ""})->text, "1");
}

TEST(Claim, IsNotFoundByAnyOtherPath) {
  const Object object(
      R"({"sub":"alice","realm_access":{"roles":["a"]},"none":{"x":null},"list":[{"x":1}],"null":null})");
  EXPECT_EQ(at(object, {"Sub"}), nullptr) << "names are exact";
  EXPECT_EQ(at(object, {"realm_access.roles"}), nullptr);
  EXPECT_EQ(at(object, {"realm_access", "roles", "0"}), nullptr);
  EXPECT_EQ(at(object, {"realm_access", "Roles"}), nullptr);
  EXPECT_EQ(at(object, {"sub", "x"}), nullptr) << "a string has no members";
  EXPECT_EQ(at(object, {"list", "x"}), nullptr) << "nor has an array";
  EXPECT_EQ(at(object, {"none", "x"}), nullptr);
  EXPECT_EQ(at(object, {"null"}), nullptr);
  EXPECT_EQ(find_claim_at(nullptr, {}), nullptr);
}

}  // namespace
}  // namespace oauth
