#include "jose/json.h"

#include <gtest/gtest.h>
#include <jansson.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test_memory.h"

namespace jose {
namespace {

using std::literals::operator""sv;

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

/// One text and what the parser makes of it.
class Parsed {
 public:
  explicit Parsed(std::string_view text) : text_(text) {
    value_ = parse_json(text_.data(), text_.size(), memory_, problem_);
  }

  const JsonValue *value() const { return value_; }
  std::string_view problem() const { return problem_ == nullptr ? std::string_view() : problem_; }

 private:
  TestMemory memory_;
  TestText text_;
  const char *problem_ = nullptr;
  const JsonValue *value_;
};

bool accepts(std::string_view text) {
  return Parsed(text).value() != nullptr;
}

std::string repeat(std::string_view text, std::size_t count) {
  std::string repeated;
  for (std::size_t i = 0; i < count; ++i) {
    repeated += text;
  }
  return repeated;
}

/// Writes a value so that every field of it shows.
std::string dump(const JsonValue &value) {
  std::string out;
  switch (value.kind) {
    case JsonKind::null:
      return "null";
    case JsonKind::boolean:
      EXPECT_NE(value.is_true(), value.is_false());
      return std::string(value.text);
    case JsonKind::number:
      return "<" + std::string(value.text) + ">";
    case JsonKind::string:
      return "'" + std::string(value.text) + "'";
    case JsonKind::array:
      for (const JsonValue *element = value.first; element != nullptr; element = element->next) {
        EXPECT_TRUE(element->name.empty());
        out += dump(*element) + ";";
      }
      return "[" + out + "]";
    case JsonKind::object:
      for (const JsonValue *member = value.first; member != nullptr; member = member->next) {
        out += std::string(member->name) + "=" + dump(*member) + ";";
      }
      return "{" + out + "}";
  }
  return "?";
}

struct Accepted {
  std::string_view text;
  std::string_view dumped;
};

constexpr Accepted accepted[] = {
    {"null", "null"},
    {"true", "true"},
    {"false", "false"},
    {" \t\r\n true \t\r\n ", "true"},
    {"0", "<0>"},
    {"-0", "<-0>"},
    {"-1", "<-1>"},
    {"1.50", "<1.50>"},
    {"1e3", "<1e3>"},
    {"1E+3", "<1E+3>"},
    {"-1.5e-3", "<-1.5e-3>"},
    {"18446744073709551616", "<18446744073709551616>"},
    {"[1,2]", "[<1>;<2>;]"},
    {"[1 ,2 ]", "[<1>;<2>;]"},
    {R"("")", "''"},
    {R"("abc")", "'abc'"},
    {R"("a\"\\\/\b\f\n\r\tz")", "'a\"\\/\b\f\n\r\tz'"},
    {R"("\u0041\u00e9\u20AC")", "'A\xC3\xA9\xE2\x82\xAC'"},
    {R"("\uD83D\uDE00")", "'\xF0\x9F\x98\x80'"},
    {R"("\uDBFF\uDFFF")", "'\xF4\x8F\xBF\xBF'"},
    {"\"\xF0\x9F\x98\x80\"", "'\xF0\x9F\x98\x80'"},
    {"\"\xED\x9F\xBF\xEE\x80\x80\"", "'\xED\x9F\xBF\xEE\x80\x80'"},  // the neighbours of the surrogates
    {R"("\uD7FF\uE000")", "'\xED\x9F\xBF\xEE\x80\x80'"},
    {R"("\uFEFF")", "'\xEF\xBB\xBF'"},
    {"\"\xEF\xBB\xBF\"", "'\xEF\xBB\xBF'"},
    {"\"\x7F\"", "'\x7F'"},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[ ]", "[]"},
    {"{ }", "{}"},
    {R"([null,true,false,1,"a",[],{}])", "[null;true;false;<1>;'a';[];{};]"},
    {R"([[1],[2,[3]]])", "[[<1>;];[<2>;[<3>;];];]"},
    {R"({"a":1})", "{a=<1>;}"},
    {R"( { "a" : 1 , "b" : [ 2 , { "c" : "d" } ] , "e" : { } } )", "{a=<1>;b=[<2>;{c='d';};];e={};}"},
    {R"({"":1})", "{=<1>;}"},
    {R"({"\u0061\n":1})", "{a\n=<1>;}"},
    {R"({"b":1,"a":2})", "{b=<1>;a=<2>;}"},
    {R"([{"a":1},{"a":2}])", "[{a=<1>;};{a=<2>;};]"},
    {R"({"a":{"a":{"a":1}}})", "{a={a={a=<1>;};};}"},
    {R"({"a":1,"A":2})", "{a=<1>;A=<2>;}"},
    {R"({"a":1,"a ":2})", "{a=<1>;a =<2>;}"},
    {R"({"a":[1],"b":2})", "{a=[<1>;];b=<2>;}"},
};

TEST(Json, ReadsValues) {
  for (const Accepted &test : accepted) {
    const Parsed parsed(test.text);
    ASSERT_NE(parsed.value(), nullptr) << test.text << ": " << parsed.problem();
    EXPECT_EQ(dump(*parsed.value()), test.dumped) << test.text;
    EXPECT_TRUE(parsed.value()->name.empty());
    EXPECT_EQ(parsed.value()->next, nullptr);
  }
}

constexpr std::string_view refused[] = {
    // no value, more than one, unfinished
    ""sv,
    " "sv,
    "\n"sv,
    "["sv,
    "{"sv,
    "]"sv,
    "}"sv,
    "[1"sv,
    "[1,"sv,
    "{\"a\""sv,
    "{\"a\":"sv,
    "{\"a\":1"sv,
    "{\"a\":1,"sv,
    "\""sv,
    "\"a"sv,
    "\"\\"sv,
    "\"\\u"sv,
    "\"\\u00"sv,
    "\"a\\\""sv,
    "1 2"sv,
    "{}{}"sv,
    "[][]"sv,
    "{} x"sv,
    "null null"sv,
    "true,"sv,
    "[1]]"sv,
    "{}}"sv,
    "[}"sv,
    "{]"sv,
    "[1}"sv,
    "{\"a\":1]"sv,
    // bytes behind the value, NUL among them
    "{}\0"sv,
    "{}\0garbage"sv,
    "1\0"sv,
    "\0"sv,
    "\0{}"sv,
    "[\0]"sv,
    "[1\0]"sv,
    "tr\0ue"sv,
    "{}\xFF"sv,
    "{}#"sv,
    // byte order marks
    "\xEF\xBB\xBF{}"sv,
    "\xEF\xBB\xBF"sv,
    "\xFE\xFF{}"sv,
    "\xFF\xFE{\0}\0"sv,
    " \xEF\xBB\xBF{}"sv,
    // not JSON
    "nul"sv,
    "True"sv,
    "NULL"sv,
    "nulll"sv,
    "tru"sv,
    "falsey"sv,
    "undefined"sv,
    "NaN"sv,
    "Infinity"sv,
    "-Infinity"sv,
    "'a'"sv,
    "{a:1}"sv,
    "{'a':1}"sv,
    "{1:1}"sv,
    "{\"a\" 1}"sv,
    "{\"a\",1}"sv,
    "{:1}"sv,
    "{,}"sv,
    "[,]"sv,
    "[1,]"sv,
    "[,1]"sv,
    "[1 2]"sv,
    "{\"a\":1,}"sv,
    "{\"a\":1 \"b\":2}"sv,
    "{\"a\"::1}"sv,
    "[1:2]"sv,
    "//x\n1"sv,
    "/**/1"sv,
    "1//x"sv,
    "[1]/**/"sv,
    "\f1"sv,
    "\v1"sv,
    "\xC2\xA0"
    "1"sv,
    // numbers
    "-"sv,
    "+1"sv,
    "01"sv,
    "-01"sv,
    "00"sv,
    "1."sv,
    ".5"sv,
    "1.e1"sv,
    "1e"sv,
    "1e+"sv,
    "1e-"sv,
    "--1"sv,
    "1-"sv,
    "0x10"sv,
    "1_000"sv,
    "1,000"sv,
    "1e1.5"sv,
    "1.5.5"sv,
    "1f"sv,
    "1E400"sv,
    "-1E400"sv,
    "1e309"sv,
    "1e99999999999"sv,
    // strings
    "\"\\x\""sv,
    "\"\\u12g4\""sv,
    "\"\\U0041\""sv,
    "\"\\'\""sv,
    "\"\\0\""sv,
    "\"a\nb\""sv,
    "\"a\tb\""sv,
    "\"\x1F\""sv,
    "\"a\0b\""sv,
    "{\"a\nb\":1}"sv,
    // surrogates
    R"("\uD800")"sv,
    R"("\uDBFFx")"sv,
    R"("\uD800\uD800")"sv,
    R"("\uD800\u0041")"sv,
    R"("\uD800\n")"sv,
    R"("\uDC00")"sv,
    R"("\uDFFF")"sv,
    R"("a\uDEADz")"sv,
    R"("\uDC00\uD800")"sv,
    R"({"\uDC00":1})"sv,
    R"({"a":["\uDC00"]})"sv,
    R"("\uD7FF\uDC00")"sv,
    R"("\uD83D\uDE00\uDE00")"sv,
    "\"\xED\xA0\x80\""sv,
    "\"\xED\xBF\xBF\""sv,
    "\"\xED\xA0\xBD\xED\xB8\x80\""sv,
    // UTF-8: lone and missing continuation bytes, overlong forms, beyond U+10FFFF
    "\"\x80\""sv,
    "\"\xBF\""sv,
    "\"\xC3\""sv,
    "\"\xC3\x28\""sv,
    "\"\xE2\x82\""sv,
    "\"\xF0\x9F\x98\""sv,
    "\"\xC0\x80\""sv,
    "\"\xC0\xAF\""sv,
    "\"\xC1\xBF\""sv,
    "\"\xE0\x80\xAF\""sv,
    "\"\xE0\x9F\xBF\""sv,
    "\"\xF0\x80\x80\xAF\""sv,
    "\"\xF0\x8F\xBF\xBF\""sv,
    "\"\xF4\x90\x80\x80\""sv,
    "\"\xF5\x80\x80\x80\""sv,
    "\"\xF8\x88\x80\x80\x80\""sv,
    "\"\xFE\""sv,
    "\"\xFF\""sv,
    "{\"\xFF\":1}"sv,
    "[\"a\",\"\xE9\"]"sv,
    // UTF-8 that the end of the text cuts: nothing behind the end may be read or written
    "\"\xC3"sv,
    "\"\xE2"sv,
    "\"\xE2\x82"sv,
    "\"\xF0"sv,
    "\"\xF0\x9F"sv,
    "\"\xF0\x9F\x98"sv,
    "\"\\n\xF0"sv,
    "{\"\xF4"sv,
    // a NUL in a name
    R"({"\u0000":1})"sv,
    R"({"a\u0000":1})"sv,
    R"({"a\u0000b":1})"sv,
    R"([{"exp\u0000":1}])"sv,
    // duplicate members
    R"({"a":1,"a":1})"sv,
    R"({"a":1,"b":2,"a":3})"sv,
    R"({"":1,"":2})"sv,
    R"({"exp":1,"e\u0078p":2})"sv,
    R"({"e\u0078p":1,"\u0065xp":2})"sv,
    R"({"\u00e9":1,"é":2})"sv,
    R"({"/":1,"\/":2})"sv,
    R"([{"a":1,"a":2}])"sv,
    R"({"x":{"a":1,"a":2}})"sv,
    R"({"x":[[{"a":{},"a":[]}]]})"sv,
    R"({"x":{"a":1},"x":{"b":1}})"sv,
    R"({"\uD83D\uDE00":1,"😀":2})"sv,
};

TEST(Json, RefusesTheRestAndSaysWhy) {
  for (const std::string_view text : refused) {
    const Parsed parsed(text);
    EXPECT_EQ(parsed.value(), nullptr) << text;
    EXPECT_FALSE(parsed.problem().empty()) << text;
  }
}

struct Problem {
  std::string_view text;
  std::string_view problem;
};

TEST(Json, NamesTheProblem) {
  for (const Problem &test :
       {Problem{"", "the JSON is empty"}, Problem{"{", "the JSON is malformed"},
        Problem{"\xEF\xBB\xBF{}", "the JSON begins with a byte order mark"},
        Problem{"{}\0"sv, "the JSON is followed by a NUL"}, Problem{R"("\uDC00")", "the JSON has a lone surrogate"},
        Problem{R"("\uD800")", "the JSON has a lone surrogate"},
        Problem{R"({"\uDC00":1})", "the JSON has a lone surrogate"}, Problem{"\"\xFF\"", "the JSON has invalid UTF-8"},
        Problem{R"({"\u0000":1})", "the JSON has a NUL in a member's name"},
        Problem{R"({"a":1,"a":1})", "the JSON has an object with duplicate members"},
        Problem{"1e999", "the JSON has a number that is too large"}}) {
    EXPECT_EQ(Parsed(test.text).problem(), test.problem) << test.text;
  }
}

TEST(Json, AcceptsANulInAString) {
  const Parsed parsed(R"({"a":"x\u0000y"})");
  ASSERT_NE(parsed.value(), nullptr);
  EXPECT_EQ(parsed.value()->member("a")->text, "x\0y"sv);
}

TEST(Json, FindsMembers) {
  const Parsed parsed(R"({"a":1,"ab":2,"":3,"o":{"a":4},"l":[{"a":5}]})");
  const JsonValue *value = parsed.value();
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(value->member("a")->text, "1");
  EXPECT_EQ(value->member("ab")->text, "2");
  EXPECT_EQ(value->member("")->text, "3");
  EXPECT_EQ(value->member("o")->member("a")->text, "4");
  EXPECT_EQ(value->member("abc"), nullptr);
  EXPECT_EQ(value->member("A"), nullptr);
  EXPECT_EQ(value->member("a\0"sv), nullptr);
  EXPECT_EQ(value->member("l")->member("a"), nullptr);
  EXPECT_EQ(value->member("l")->member(""), nullptr);
  EXPECT_EQ(value->member("a")->member("a"), nullptr);
  const Parsed nothing(R"({"a":null})");
  EXPECT_EQ(nothing.value()->member("a"), nullptr);
  EXPECT_EQ(nothing.value()->member_or_null("a")->kind, JsonKind::null);
  EXPECT_EQ(nothing.value()->member_or_null("b"), nullptr);
  EXPECT_EQ(JsonValue().member(""), nullptr);
}

TEST(Json, SaysTrueAndFalseOfBooleansOnly) {
  EXPECT_TRUE(Parsed("true").value()->is_true());
  EXPECT_TRUE(Parsed("false").value()->is_false());
  for (const std::string_view text : {R"("true")"sv, R"("false")"sv, "1"sv, "0"sv, "null"sv, "[true]"sv, "{}"sv}) {
    EXPECT_FALSE(Parsed(text).value()->is_true()) << text;
    EXPECT_FALSE(Parsed(text).value()->is_false()) << text;
  }
}

TEST(Json, IsNestedUpToTheLimit) {
  const struct {
    std::string_view open;
    std::string_view close;
  } shapes[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[1,", "]"}, {"{\"a\":1,\"b\":", "}"}};
  for (const auto &shape : shapes) {
    for (const std::size_t depth : {json_max_depth - 1, json_max_depth, json_max_depth + 1, json_max_depth + 2}) {
      const std::string text = repeat(shape.open, depth) + "1" + repeat(shape.close, depth);
      EXPECT_EQ(accepts(text), depth <= json_max_depth) << text;
    }
  }
}

TEST(Json, CountsLevelsNotContainers) {
  EXPECT_TRUE(accepts("[" + repeat("[[]],", 1000) + "1]"));
}

TEST(Json, Refuses200000Levels) {
  for (const std::string_view open : {"[", "{\"a\":", "[{\"a\":"}) {
    const Parsed parsed(repeat(open, 200000));
    EXPECT_EQ(parsed.value(), nullptr);
    EXPECT_EQ(parsed.problem(), "the JSON is nested too deeply");
  }
}

std::string object_with_members(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::string("member") + std::to_string(i) + "\":" + std::to_string(i);
  }
  return text;
}

TEST(Json, FindsADuplicateAmongAnyNumberOfMembers) {
  for (const int count : {1, 2, 15, 16, 17, 18, 1000}) {
    const std::string text = object_with_members(count);
    EXPECT_TRUE(accepts(text + "}")) << count;
    for (const int duplicate : {0, count / 2, count - 1}) {
      EXPECT_FALSE(accepts(text + ",\"membe\\u0072" + std::to_string(duplicate) + "\":0}")) << count;
    }
  }
}

TEST(Json, KeepsTheOrderOfManyMembers) {
  const Parsed parsed(object_with_members(1000) + "}");
  ASSERT_NE(parsed.value(), nullptr);
  int count = 0;
  for (const JsonValue *member = parsed.value()->first; member != nullptr; member = member->next) {
    EXPECT_EQ(member->name, "member" + std::to_string(count));
    EXPECT_EQ(member->text, std::to_string(count++));
  }
  EXPECT_EQ(count, 1000);
}

TEST(Json, TakesNoQuadraticTimeForManyMembers) {
  const int many = 200000;  // pairs: 2 * 10^10
  EXPECT_TRUE(accepts(object_with_members(many) + "}"));
  EXPECT_FALSE(accepts(object_with_members(many) + ",\"member0\":0}"));
}

TEST(Json, RefusesEveryTruncation) {
  const std::string_view whole = R"({"jwt":"a.b.c","e\u0078p":-1.5e+3,"a":[true,false,null,"é😀\uD83D\uDE00\n",{}]})";
  ASSERT_TRUE(accepts(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(accepts(whole.substr(0, size))) << size;
  }
}

TEST(Json, ReadsLargeTexts) {
  const std::size_t megabyte = 1U << 20U;
  const std::string text = "[\"" + repeat("a\\u0041", megabyte / 2) + "\"]";
  const Parsed parsed(text);
  ASSERT_NE(parsed.value(), nullptr);
  EXPECT_EQ(parsed.value()->first->text, repeat("aA", megabyte / 2));
  EXPECT_TRUE(accepts(std::string(4 * megabyte, ' ') + "1"));
  EXPECT_FALSE(accepts("\"" + std::string(4 * megabyte, 'a')));
}

TEST(Json, RefusesATextThatIsTooLargeWithoutLookingAtIt) {
  TestMemory memory;
  const TestText text("1");
  const char *problem = nullptr;
  EXPECT_EQ(parse_json(text.data(), (std::size_t{1} << 26U) + 1, memory, problem), nullptr);
  EXPECT_STREQ(problem, "the JSON is too large");
  EXPECT_EQ(memory.allocations(), 0U);
}

TEST(Json, RefusesNothingAtAll) {
  TestMemory memory;
  const char *problem = nullptr;
  EXPECT_EQ(parse_json(nullptr, 0, memory, problem), nullptr);
  EXPECT_STREQ(problem, "the JSON is empty");
}

TEST(Json, IsRefusedWithoutMemory) {
  const std::string texts[] = {"1", R"({"a":[1,"b",{"c":null}],"d":true})", object_with_members(20) + "}"};
  for (const std::string &text : texts) {
    expect_refusal_without_memory([&text](Memory &memory) {
      const TestText copy(text);
      const char *problem = nullptr;
      const bool is_accepted = parse_json(copy.data(), copy.size(), memory, problem) != nullptr;
      EXPECT_EQ(is_accepted, problem == nullptr);
      return is_accepted;
    });
  }
}

// CVE-2024-38517 and its kin: exponents that overflow the reader's own arithmetic if it is let to compute.
TEST(Json, SurvivesHostileNumbers) {
  const std::string survived[] = {std::string("1.1111111111111111e-2147483639"),
                                  std::string("1e-2147483648"),
                                  std::string("1e-2147483649"),
                                  std::string("0e-99999999999999999999"),
                                  std::string("-1.5E-214748364999"),
                                  "1e-" + repeat("9", 1000),
                                  "0." + repeat("0", 100000) + "1",
                                  "0." + repeat("0", 100000) + "1e100000",
                                  repeat("9", 300),
                                  "1e0000000001",
                                  "0." + repeat("9", 1000),
                                  "1." + repeat("0", 1000),
                                  "1e-" + repeat("0", 1000) + "1"};
  for (const std::string &number : survived) {
    const Parsed parsed("{\"exp\":" + number + "}");
    ASSERT_NE(parsed.value(), nullptr) << number.substr(0, 50) << ": " << parsed.problem();
    EXPECT_EQ(parsed.value()->member("exp")->text, number);
    std::int64_t seconds = 0;
    read_numeric_date(*parsed.value()->member("exp"), seconds);
  }
  for (const std::string &number : {repeat("9", 1000), "1e" + repeat("9", 1000), std::string("1e2147483648"),
                                    "0." + repeat("0", 100000) + "1e" + repeat("9", 1000)}) {
    EXPECT_FALSE(accepts("{\"exp\":" + number + "}")) << number.substr(0, 50);
  }
}

struct Date {
  std::string_view number;
  std::int64_t seconds;
};

TEST(NumericDate, IsRoundedDownAndSaturated) {
  for (const Date &test : {
           Date{"0", 0},
           Date{"-0", 0},
           Date{"1", 1},
           Date{"-1", -1},
           Date{"1700000000", 1700000000},
           Date{"1700000000.0", 1700000000},
           Date{"1700000000.25", 1700000000},
           Date{"1700000000.999", 1700000000},
           Date{"1659786174.1458", 1659786174},
           Date{"1700000000.99999999999999999999", 1700000000},
           Date{"-1700000000.00000000000000000001", -1700000001},
           Date{"-1.5", -2},
           Date{"-1.0", -1},
           Date{"-1.000", -1},
           Date{"-0.0", 0},
           Date{"1.6597861741458e9", 1659786174},
           Date{"16597861741458E-4", 1659786174},
           Date{"-15e-1", -2},
           Date{"-0.5", -1},
           Date{"0.5", 0},
           Date{"1e3", 1000},
           Date{"1.7E9", 1700000000},
           Date{"15e-1", 1},
           Date{"1e-300", 0},
           Date{"-1e-300", -1},
           Date{"9223372036854775806", highest - 1},
           Date{"9223372036854775807", highest},
           Date{"9223372036854775808", highest},
           Date{"18446744073709551615", highest},
           Date{"18446744073709551616", highest},
           Date{"18446744073709551617", highest},
           Date{"99999999999999999999999999999999", highest},
           Date{"-9223372036854775808", lowest},
           Date{"-9223372036854775809", lowest},
           Date{"-18446744073709551616", lowest},
           Date{"9223372036854775807.0", highest},
           Date{"9223372036854775808.5", highest},
           Date{"9223372036854774784.0", 9223372036854774784},  // the double below 2^63
           Date{"-9223372036854775808.0", lowest},
           Date{"-9223372036854775808.5", lowest},
           Date{"9223372036854775807.5", highest},
           Date{"-9223372036854775809.0", lowest},
           Date{"1e19", highest},
           Date{"-1e19", lowest},
           Date{"1e308", highest},
           Date{"-1e308", lowest},
       }) {
    const Parsed parsed(test.number);
    ASSERT_NE(parsed.value(), nullptr) << test.number;
    std::int64_t seconds = 42;
    EXPECT_TRUE(read_numeric_date(*parsed.value(), seconds)) << test.number;
    EXPECT_EQ(seconds, test.seconds) << test.number;
  }
}

TEST(NumericDate, IsANumberThatADoubleHolds) {
  for (const std::string_view text :
       {R"("1700000000")"sv, R"("")"sv, "null"sv, "true"sv, "false"sv, "[]"sv, "[1]"sv, "{}"sv, "10e308"sv, "-10e308"sv,
        "1e-400"sv, "1.1111111111111111e-2147483639"sv}) {
    const Parsed parsed(text);
    ASSERT_NE(parsed.value(), nullptr) << text;
    std::int64_t seconds = 0;
    EXPECT_FALSE(read_numeric_date(*parsed.value(), seconds)) << text;
  }
}

// --- jansson as the independent oracle ---

struct FreeJansson {
  void operator()(json_t *json) const { json_decref(json); }
};

bool same(const JsonValue &value, const json_t *json);

bool same_array(const JsonValue &value, const json_t *json) {
  std::size_t index = 0;
  for (const JsonValue *element = value.first; element != nullptr; element = element->next) {
    const json_t *other = json_array_get(json, index++);
    if (other == nullptr || !same(*element, other)) {
      return false;
    }
  }
  return index == json_array_size(json);
}

bool same_object(const JsonValue &value, const json_t *json) {
  std::size_t count = 0;
  for (const JsonValue *member = value.first; member != nullptr; member = member->next, ++count) {
    const json_t *other = json_object_get(json, std::string(member->name).c_str());
    if (other == nullptr || !same(*member, other)) {
      return false;
    }
  }
  return count == json_object_size(json);
}

bool same_number(const JsonValue &value, const json_t *json) {
  const std::string text(value.text);
  return json_is_integer(json) ? std::to_string(json_integer_value(json)) == (text == "-0" ? "0" : text)
                               : json_real_value(json) == std::strtod(text.c_str(), nullptr);
}

bool same(const JsonValue &value, const json_t *json) {
  switch (value.kind) {
    case JsonKind::null:
      return json_is_null(json);
    case JsonKind::boolean:
      return json_is_boolean(json) && json_is_true(json) == value.is_true();
    case JsonKind::number:
      return json_is_number(json) && same_number(value, json);
    case JsonKind::string:
      return json_is_string(json) && std::string_view(json_string_value(json), json_string_length(json)) == value.text;
    case JsonKind::array:
      return json_is_array(json) && same_array(value, json);
    case JsonKind::object:
      return json_is_object(json) && same_object(value, json);
  }
  return false;
}

enum class Verdict { agree, excepted, differ };

Verdict compare_with_jansson(std::string_view text) {
  const Parsed parsed(text);
  json_error_t error;
  const std::unique_ptr<json_t, FreeJansson> json(
      json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error));
  if (parsed.value() != nullptr && json != nullptr) {
    return same(*parsed.value(), json.get()) ? Verdict::agree : Verdict::differ;
  }
  if (parsed.value() == nullptr && json == nullptr) {
    return Verdict::agree;
  }
  if (json == nullptr) {
    // jansson computes numbers and refuses integers beyond 64 bits and doubles beyond infinity. We keep the text;
    // read_numeric_date() deals with both.
    return json_error_code(&error) == json_error_numeric_overflow ? Verdict::excepted : Verdict::differ;
  }
  // RapidJSON refuses by the exponent alone (0e999 is zero), we allow fewer levels than jansson's 2048, and jansson
  // drops a NUL that follows a number.
  const bool stricter = parsed.problem() == "the JSON has a number that is too large" ||
                        parsed.problem() == "the JSON is nested too deeply" ||
                        text.find('\0') != std::string_view::npos;
  return stricter ? Verdict::excepted : Verdict::differ;
}

TEST(JsonOracle, AgreesOnTheTables) {
  for (const Accepted &test : accepted) {
    EXPECT_NE(compare_with_jansson(test.text), Verdict::differ) << test.text;
  }
  for (const std::string_view text : refused) {
    EXPECT_NE(compare_with_jansson(text), Verdict::differ) << text;
  }
}

TEST(JsonOracle, HasNoOtherExceptionsThanThese) {
  for (const std::string &text :
       {std::string("18446744073709551616"), std::string("-9223372036854775809"), std::string("10e308"),
        std::string("0e999"), std::string("[1\0]", 4), repeat("[", 65) + repeat("]", 65)}) {
    EXPECT_EQ(compare_with_jansson(text), Verdict::excepted) << text;
  }
}

TEST(JsonOracle, AgreesOnMutations) {
  const std::string_view pieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "\"",
                                     "\\",
                                     "null",
                                     "true",
                                     "false",
                                     "0",
                                     "-1",
                                     "1.5",
                                     "1e3",
                                     "E",
                                     "\"a\"",
                                     "\"b\":",
                                     "\\u0061",
                                     "\\uD83D\\uDE00",
                                     "\\uDC00",
                                     "\\uD800",
                                     "\\u0000",
                                     "\xED\xA0\x80",
                                     "\xF0\x9F\x98\x80",
                                     "\xC3\xA9",
                                     "\xC0\x80",
                                     "\xEF\xBB\xBF",
                                     "\x80",
                                     "\xFF",
                                     "\n",
                                     "\t",
                                     " ",
                                     "\x01"};
  std::mt19937 random(20240607);
  const auto below = [&random](std::size_t bound) { return std::size_t{random()} % bound; };
  int acceptances = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string text(accepted[below(std::size(accepted))].text);
    for (std::size_t change = below(4); change < 4; ++change) {
      const std::size_t at = below(text.size() + 1);
      const std::string_view piece = pieces[below(std::size(pieces))];
      text.replace(at, below(2) * below(4), below(4) == 0 ? std::string_view() : piece);
    }
    acceptances += accepts(text) ? 1 : 0;
    ASSERT_NE(compare_with_jansson(text), Verdict::differ) << text;
  }
  EXPECT_GT(acceptances, 1000);
}

}  // namespace
}  // namespace jose
