#include "jose/writer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "oauth/form.h"
#include "test_memory.h"

namespace jose {
namespace {

using std::literals::operator""sv;

template <typename Describe>
std::string write(Describe describe) {
  TestMemory memory;
  std::string_view text = "unset";
  EXPECT_TRUE(write_text(memory, describe, text));
  EXPECT_EQ(memory.allocations(), text.empty() ? 0U : 1U);
  return std::string(text);
}

TEST(Writer, WritesWhatItCounts) {
  EXPECT_EQ(write([](Writer &writer) {
              writer.put('a');
              writer.put("bc");
              writer.put("");
              writer.put("d\0e"sv);
              writer.put_escaped(R"("\x)");
              oauth::put_form_encoded(writer, "a b&c=\xC3\xA9");
            }),
            "abcd\0e\\\"\\\\xa+b%26c%3D%C3%A9"sv);
}

TEST(Writer, WritesNothing) {
  EXPECT_EQ(write([](Writer & /*writer*/) {}), "");
  EXPECT_EQ(write([](Writer &writer) { writer.put(std::string_view()); }), "");
  EXPECT_EQ(write([](Writer &writer) { oauth::put_form_encoded(writer, ""); }), "");
  EXPECT_EQ(write([](Writer &writer) { writer.put_escaped(""); }), "");
}

TEST(Writer, EscapesTheInsideOfAQuotedString) {
  const struct {
    std::string_view text;
    std::string_view expected;
  } cases[] = {
      {"a", "a"}, {"\"", R"(\")"}, {"\\", R"(\\)"}, {R"(\")", R"(\\\")"}, {"a'b;,= \xC3\xA9", "a'b;,= \xC3\xA9"},
  };
  for (const auto &test : cases) {
    EXPECT_EQ(write([&](Writer &writer) { writer.put_escaped(test.text); }), test.expected) << test.text;
  }
}

TEST(Writer, EncodesEveryByteForForms) {
  for (int c = 0; c < 256; ++c) {
    const std::string one(1, static_cast<char>(c));
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '*';
    char escaped[4];
    std::snprintf(escaped, sizeof(escaped), "%%%02X", static_cast<unsigned>(c));
    EXPECT_EQ(write([&](Writer &writer) { oauth::put_form_encoded(writer, one); }), stays      ? one
                                                                                    : c == ' ' ? "+"
                                                                                               : escaped)
        << c;
  }
}

TEST(Writer, CountsWithoutRoom) {
  Writer writer(nullptr);
  EXPECT_EQ(writer.size(), 0U);
  writer.put('a');
  writer.put("bc");
  writer.put_escaped("\"");
  oauth::put_form_encoded(writer, "%");
  EXPECT_EQ(writer.size(), 8U);
}

TEST(Writer, IsRefusedWithoutMemory) {
  expect_refusal_without_memory([](Memory &memory) {
    std::string_view text;
    return write_text(
        memory, [](Writer &writer) { writer.put("a"); }, text);
  });
}

}  // namespace
}  // namespace jose
