#include "jose/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

#include "test_memory.h"

namespace jose {
namespace {

std::string written(std::string_view json) {
  TestMemory memory;
  const TestText text(json);
  const char *problem = nullptr;
  const JsonValue *value = parse_json(text.data(), text.size(), memory, problem);
  EXPECT_NE(value, nullptr) << json;
  std::string_view result;
  EXPECT_TRUE(write_text(
      memory, [&](Writer &writer) { put_json(writer, *value); }, result));
  return std::string(result);
}

TEST(JsonWriter, PutsWhatHasBeenRead) {
  for (const std::string_view json : {
           R"(null)",
           R"(true)",
           R"(false)",
           R"(-1.50e+07)",
           R"(123456789012345678901234567890)",
           R"("")",
           R"("\"\\/ä\u0000\u001f")",
           R"([])",
           R"({})",
           R"([[],{},[[1]],"x"])",
           R"({"a":{"b":[1,{"c":null}],"d":{}},"e\"":[true,false]})",
       }) {
    EXPECT_EQ(written(json), json);
  }
}

TEST(JsonWriter, LeavesWhiteSpaceOutAndEscapesNoMoreThanItMust) {
  EXPECT_EQ(written(" [ 1 ,\t{ \"a\" : \"\\u00e4\\/\\n\" } ] "), "[1,{\"a\":\"ä/\\u000a\"}]");
}

TEST(JsonWriter, PutsTheDeepestTextThatIsRead) {
  const std::string deepest = std::string(json_max_depth, '[') + std::string(json_max_depth, ']');
  EXPECT_EQ(written(deepest), deepest);
}

TEST(JsonWriter, PutsWholeNumbers) {
  const auto number = [](std::int64_t value) {
    TestMemory memory;
    std::string_view text;
    EXPECT_TRUE(write_text(
        memory, [value](Writer &writer) { put_json_number(writer, value); }, text));
    return std::string(text);
  };
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(number(std::numeric_limits<std::int64_t>::max()), "9223372036854775807");
}

}  // namespace
}  // namespace jose
