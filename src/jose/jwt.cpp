#include "jwt.h"

#include "base64url.h"
#include "strings.h"

namespace jose {

namespace {

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view white_space = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(white_space);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(white_space) - begin + 1);
}

}  // namespace

const char *split_jwt(std::string_view text, JwtParts &parts) noexcept {
  const std::size_t first_dot = text.find('.');
  const std::size_t second_dot = text.find('.', first_dot + 1);
  if (second_dot == std::string_view::npos || text.find('.', second_dot + 1) != std::string_view::npos) {
    return "the JWT does not have three parts";
  }
  parts = {text.substr(0, first_dot), text.substr(first_dot + 1, second_dot - first_dot - 1),
           text.substr(second_dot + 1)};
  if (parts.signature.empty()) {
    return jwt_is_not_signed;
  }
  return base64url_decode(parts.signature, nullptr) ? nullptr : "the signature of the JWT is not base64url";
}

const JsonValue *read_jwt_part(std::string_view part, Memory &memory, const char *&problem) noexcept {
  const std::size_t size = base64url_decoded_size(part.size());
  auto *json = static_cast<char *>(memory.allocate(size + 1));  // parse_json() puts a terminator there
  if (json == nullptr) {
    problem = "there is no memory for the JWT";
    return nullptr;
  }
  if (!base64url_decode(part, json)) {
    problem = "a part of the JWT is not base64url";
    return nullptr;
  }
  const JsonValue *value = parse_json(json, size, memory, problem);
  if (value != nullptr && value->kind != JsonKind::object) {
    problem = "a part of the JWT is not a JSON object";
    return nullptr;
  }
  return value;
}

// RFC 7515 section 4.1.1 demands `alg`. RFC 8725 section 3.2 forbids `none`, here in upper or lower case.
bool has_algorithm(const JsonValue &header) noexcept {
  const JsonValue *algorithm = header.member("alg");
  return algorithm != nullptr && algorithm->kind == JsonKind::string && !algorithm->text.empty() &&
         !equal_ignoring_case(algorithm->text, "none");
}

bool parse_jwt(std::string_view text, Memory &memory, Jwt &jwt, const char *&problem) noexcept {
  const std::string_view compact = trim(text);
  JwtParts parts;
  problem = split_jwt(compact, parts);
  if (problem != nullptr) {
    return false;
  }
  const JsonValue *header = read_jwt_part(parts.header, memory, problem);
  if (header == nullptr) {
    return false;
  }
  if (!has_algorithm(*header)) {
    problem = jwt_is_not_signed;
    return false;
  }
  const JsonValue *claims = read_jwt_part(parts.claims, memory, problem);
  if (claims == nullptr) {
    return false;
  }
  jwt = {compact, header, claims};
  return true;
}

bool has_type(const Jwt &jwt, std::string_view subtype) noexcept {
  return has_type(*jwt.header, subtype);
}

bool has_type(const JsonValue &header, std::string_view subtype) noexcept {
  constexpr std::string_view prefix = "application/";
  const JsonValue *type = header.member("typ");
  if (type == nullptr || type->kind != JsonKind::string) {
    return false;
  }
  std::string_view text = type->text;
  if (equal_ignoring_case(text.substr(0, prefix.size()), prefix)) {
    text.remove_prefix(prefix.size());
  }
  return equal_ignoring_case(text, subtype);
}

}  // namespace jose
