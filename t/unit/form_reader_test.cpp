#include "oauth/form_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

using Parameters = std::vector<std::pair<std::string, std::string>>;

Parameters read(std::string_view body) {
  TestMemory memory;
  const FormResult form = read_form(body, memory);
  EXPECT_EQ(form.problem, nullptr) << body << ": " << form.problem;
  Parameters parameters;
  for (const FormParameter *parameter = form.first; parameter != nullptr; parameter = parameter->next) {
    parameters.emplace_back(parameter->name, parameter->value);
  }
  return parameters;
}

std::string problem_of(std::string_view body) {
  TestMemory memory;
  const FormResult form = read_form(body, memory);
  EXPECT_TRUE(form.problem == nullptr || form.first == nullptr) << body;
  return form.problem == nullptr ? "none" : form.problem;
}

TEST(FormReader, ReadsParametersInTheirOrder) {
  const struct {
    std::string_view body;
    Parameters parameters;
  } cases[] = {
      {"", {}},
      {"a=1", {{"a", "1"}}},
      {"b=1&a=2&c=3", {{"b", "1"}, {"a", "2"}, {"c", "3"}}},
      {"a", {{"a", ""}}},
      {"a=", {{"a", ""}}},
      {"a&b=", {{"a", ""}, {"b", ""}}},
      {"a=1&", {{"a", "1"}}},
      {"a=b=c==", {{"a", "b=c=="}}},
      {"a=1&A=2", {{"a", "1"}, {"A", "2"}}},
      {"a=x;b=y", {{"a", "x;b=y"}}},
      {" a = b ", {{" a ", " b "}}},
  };
  for (const auto &row : cases) {
    EXPECT_EQ(read(row.body), row.parameters) << row.body;
  }
}

TEST(FormReader, DecodesNamesAndValues) {
  const struct {
    std::string_view body;
    Parameters parameters;
  } cases[] = {
      {"a=%41%7a%7A", {{"a", "Azz"}}},
      {"%61=1", {{"a", "1"}}},
      {"a=%26b%3D1", {{"a", "&b=1"}}},
      {"a%3Db=1", {{"a=b", "1"}}},
      {"a=x+y%2Bz%20", {{"a", "x y+z "}}},
      {"a+b=1", {{"a b", "1"}}},
      {"a=%2541", {{"a", "%41"}}},
      {"a=%00b", {{"a", std::string("\0b"sv)}}},
      {"%00=%ff%80", {{std::string("\0"sv), "\xff\x80"}}},
      {"a=\xff\r\n\x01", {{"a", "\xff\r\n\x01"}}},
  };
  for (const auto &row : cases) {
    EXPECT_EQ(read(row.body), row.parameters) << row.body;
  }
}

TEST(FormReader, RefusesAPercentSignThatIsNoEscape) {
  for (const std::string_view escape :
       {"%", "%4", "%zz", "%4g", "%g4", "%%41", "% 41", "%4%31", "%-1", "%@a", "%`a", "%:0", "%/0"}) {
    const std::string text(escape);
    for (const std::string &body : {"a=" + text, text + "=a", "a=b" + text + "&c=d", "x=1&" + text}) {
      EXPECT_EQ(problem_of(body), "the form has a % that is no escape") << body;
    }
  }
}

TEST(FormReader, DoesNotReadAnEscapeOverTheEndOfAParameter) {
  EXPECT_NE(problem_of("a=%4&1=b"), "none");
  EXPECT_NE(problem_of("a%4=1"), "none");
  EXPECT_NE(problem_of("a=%&41"), "none");
}

TEST(FormReader, RefusesAParameterWithoutAName) {
  for (const std::string_view body : {"=", "=1", "&", "&a=1", "a=1&&b=2", "a=1&=", "a=1&&"}) {
    EXPECT_EQ(problem_of(body), "the form has a parameter without a name") << body;
  }
}

TEST(FormReader, RefusesANameThatStandsThereTwice) {
  for (const std::string_view body : {"a=1&a=2", "a=1&a=1", "a&a", "a=1&b=2&a=3", "a=1&%61=2", "a+b=1&a%20b=2"}) {
    EXPECT_EQ(problem_of(body), "the form has a parameter twice") << body;
  }
}

TEST(FormReader, RefusesMoreParametersThanAnyFormHas) {
  std::string body = "a0";
  for (std::size_t i = 1; i < most_form_parameters; ++i) {
    body += "&a" + std::to_string(i);
  }
  EXPECT_EQ(read(body).size(), most_form_parameters);
  EXPECT_EQ(read(body + '&').size(), most_form_parameters);
  EXPECT_EQ(problem_of(body + "&b"), "the form has too many parameters");
}

TEST(FormReader, CopiesOnlyWhatIsEncoded) {
  TestMemory memory;
  const std::string_view body = "name=value";
  const FormResult form = read_form(body, memory);
  ASSERT_NE(form.first, nullptr);
  EXPECT_EQ(form.first->name.data(), body.data());
  EXPECT_EQ(form.first->value.data(), body.data() + 5);
  EXPECT_EQ(memory.allocations(), 1U);
}

TEST(FormReader, SaysThatThereIsNoMemory) {
  expect_refusal_without_memory([](TestMemory &memory) {
    const FormResult form = read_form("a=%41&%62=1+2&c", memory);
    EXPECT_TRUE(form.problem == nullptr || (form.problem == "no memory to read the form"sv && form.first == nullptr));
    return form.problem == nullptr;
  });
}

}  // namespace
}  // namespace oauth
