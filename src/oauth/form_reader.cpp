#include "form_reader.h"

#include <algorithm>

#include "../jose/percent.h"

namespace oauth {
namespace {

constexpr const char *no_memory = "no memory to read the form";

/// Takes a text off `rest`, up to the separator, and the separator with it.
std::string_view take(std::string_view &rest, char separator) noexcept {
  const std::string_view taken = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(taken.size() + 1, rest.size()));
  return taken;
}

/// @return nullptr, or what is wrong.
const char *decode(std::string_view encoded, jose::Memory &memory, std::string_view &text) noexcept {
  text = encoded;
  if (encoded.find_first_of("%+") == std::string_view::npos) {
    return nullptr;
  }
  auto *out = static_cast<char *>(memory.allocate(encoded.size()));
  if (out == nullptr) {
    return no_memory;
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    char c = encoded[i];
    if (c == '%') {
      const int byte = jose::percent_decode(encoded.substr(i));
      if (byte < 0) {
        return "the form has a % that is no escape";
      }
      c = static_cast<char>(byte);
      i += jose::percent_encoded_size - 1;
    } else if (c == '+') {
      c = ' ';
    }
    out[size++] = c;
  }
  text = {out, size};
  return nullptr;
}

const char *read_parameter(std::string_view pair, jose::Memory &memory, FormParameter &parameter) noexcept {
  const char *problem = decode(take(pair, '='), memory, parameter.name);
  if (problem == nullptr) {
    problem = decode(pair, memory, parameter.value);
  }
  return problem == nullptr && parameter.name.empty() ? "the form has a parameter without a name" : problem;
}

bool has_name(const FormParameter *first, std::string_view name) noexcept {
  while (first != nullptr && first->name != name) {
    first = first->next;
  }
  return first != nullptr;
}

}  // namespace

FormResult read_form(std::string_view body, jose::Memory &memory) noexcept {
  FormResult result;
  const FormParameter **link = &result.first;
  for (std::size_t count = 0; !body.empty(); ++count) {
    if (count == most_form_parameters) {
      return {nullptr, "the form has too many parameters"};
    }
    auto *parameter = memory.make<FormParameter>();
    const char *problem = parameter == nullptr ? no_memory : read_parameter(take(body, '&'), memory, *parameter);
    if (problem == nullptr && has_name(result.first, parameter->name)) {
      problem = "the form has a parameter twice";
    }
    if (problem != nullptr) {
      return {nullptr, problem};
    }
    *link = parameter;
    link = &parameter->next;
  }
  return result;
}

}  // namespace oauth
