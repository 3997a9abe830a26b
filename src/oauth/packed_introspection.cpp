#include "packed_introspection.h"

#include <algorithm>
#include <iterator>

#include "decision.h"

namespace oauth {
namespace {

constexpr unsigned low_bits = 7;  // of a number in each byte; the eighth says that more follow
constexpr unsigned more_follow = 1U << low_bits;

constexpr std::string_view times[] = {"exp", "nbf"};

constexpr Strings decisive = {decisive_claims, std::size(decisive_claims)};
constexpr Strings decisive_of_envelope = {times, std::size(times)};

void put_number(Writer &writer, std::size_t number) noexcept {
  for (; number >= more_follow; number >>= low_bits) {
    writer.put(static_cast<char>((number & (more_follow - 1)) | more_follow));
  }
  writer.put(static_cast<char>(number));
}

void put_string(Writer &writer, std::string_view text) noexcept {
  put_number(writer, text.size());
  writer.put(text);
}

/// What a byte of a packed value says beside its kind.
constexpr unsigned is_the_jwt = 0x80;

/// A JSON response holds the JWT as a member's text.
bool holds(const JsonValue &value, const Jwt &jwt) noexcept {
  return value.text.data() == jwt.compact.data() && value.text.size() == jwt.compact.size() && !value.text.empty();
}

void put_kind(Writer &writer, JsonKind kind, unsigned flags) noexcept {
  writer.put(static_cast<char>(static_cast<unsigned>(kind) | flags));
}

/// One list of members or elements: `wanted` says which are packed.
template <typename Wanted, typename Put>
void put_list(Writer &writer, const JsonValue &container, Wanted wanted, Put put) noexcept {
  std::size_t count = 0;
  for (const JsonValue *value = container.first; value != nullptr; value = value->next) {
    count += wanted(*value) ? 1 : 0;
  }
  put_number(writer, count);
  for (const JsonValue *value = container.first; value != nullptr; value = value->next) {
    if (wanted(*value)) {
      put(*value);
    }
  }
}

bool any(const JsonValue & /*value*/) noexcept {
  return true;
}

void put_elements(Writer &writer, const JsonValue &array) noexcept {
  put_list(writer, array, any, [&](const JsonValue &element) noexcept {
    put_kind(writer, element.kind, 0);
    put_string(writer, element.text);
  });
}

void put_member(Writer &writer, const JsonValue &member, const Jwt &jwt) noexcept {
  const bool is_jwt = holds(member, jwt);
  put_kind(writer, member.kind, is_jwt ? is_the_jwt : 0);
  put_string(writer, member.name);
  if (member.kind == JsonKind::array) {
    put_elements(writer, member);
  } else if (!is_jwt) {
    put_string(writer, member.text);
  }
}

template <typename Wanted>
void put_object(Writer &writer, const JsonValue *object, const Jwt &jwt, Wanted wanted) noexcept {
  writer.put(object == nullptr ? '\0' : '\1');
  if (object != nullptr) {
    put_list(writer, *object, wanted, [&](const JsonValue &member) noexcept { put_member(writer, member, jwt); });
  }
}

auto is_one_of(Strings names) noexcept {
  return [names](const JsonValue &member) noexcept {
    return std::find(names.begin(), names.end(), member.name) != names.end();
  };
}

/// Reads what pack() has put; from the first thing that is wrong on, everything is.
class Reader {
 public:
  Reader(std::string_view bytes, std::string_view jwt, Memory &memory) noexcept
      : bytes_(bytes), jwt_(jwt), memory_(memory) {}

  /// @return the object; nullptr where none was packed, or where it is not good().
  const JsonValue *object() noexcept;
  bool good() const noexcept { return good_; }
  bool at_end() const noexcept { return bytes_.empty(); }

 private:
  unsigned byte() noexcept;
  std::size_t number() noexcept;
  std::string_view string() noexcept;
  JsonValue *array_of(std::size_t count) noexcept;
  void member(JsonValue &value) noexcept;
  const JsonValue *elements() noexcept;
  void kind(JsonValue &value, unsigned packed) noexcept;
  void fail() noexcept { good_ = false; }

  std::string_view bytes_;
  std::string_view jwt_;
  Memory &memory_;
  bool good_ = true;
};

unsigned Reader::byte() noexcept {
  if (bytes_.empty()) {
    fail();
    return 0;
  }
  const auto first = static_cast<unsigned char>(bytes_.front());
  bytes_.remove_prefix(1);
  return first;
}

std::size_t Reader::number() noexcept {
  std::size_t result = 0;
  for (unsigned shift = 0; shift < 8 * sizeof(result); shift += low_bits) {
    const unsigned part = byte();
    result |= std::size_t{part & (more_follow - 1)} << shift;
    if (part < more_follow) {
      return result;
    }
  }
  fail();
  return 0;
}

std::string_view Reader::string() noexcept {
  const std::size_t size = number();
  if (size > bytes_.size()) {
    fail();
    return {};
  }
  const std::string_view text = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return text;
}

/// @return that many linked values, or nullptr for none or where there is no memory for them.
JsonValue *Reader::array_of(std::size_t count) noexcept {
  // Each takes at least two bytes, which bounds what is asked for.
  if (count > bytes_.size()) {
    fail();
  }
  if (count == 0 || !good_) {
    return nullptr;
  }
  void *place = memory_.allocate(count * sizeof(JsonValue));
  if (place == nullptr) {
    fail();
    return nullptr;
  }
  auto *values = static_cast<JsonValue *>(place);
  for (std::size_t i = 0; i < count; ++i) {
    new (values + i) JsonValue();
    values[i].next = i + 1 < count ? values + i + 1 : nullptr;
  }
  return values;
}

void Reader::kind(JsonValue &value, unsigned packed) noexcept {
  if (packed > static_cast<unsigned>(JsonKind::object)) {
    fail();
    return;
  }
  value.kind = static_cast<JsonKind>(packed);
}

const JsonValue *Reader::elements() noexcept {
  const std::size_t count = number();
  JsonValue *values = array_of(count);
  for (std::size_t i = 0; i < count && good_; ++i) {
    kind(values[i], byte());
    values[i].text = string();
  }
  return values;
}

void Reader::member(JsonValue &value) noexcept {
  const unsigned packed = byte();
  kind(value, packed & ~is_the_jwt);
  value.name = string();
  if (value.kind == JsonKind::array) {
    value.first = elements();
  } else {
    value.text = (packed & is_the_jwt) != 0 ? jwt_ : string();
  }
}

const JsonValue *Reader::object() noexcept {
  if (byte() == 0) {
    return nullptr;
  }
  auto *result = memory_.make<JsonValue>();
  if (result == nullptr) {
    fail();
    return nullptr;
  }
  result->kind = JsonKind::object;
  const std::size_t count = number();
  JsonValue *members = array_of(count);
  for (std::size_t i = 0; i < count && good_; ++i) {
    member(members[i]);
  }
  result->first = members;
  return result;
}

}  // namespace

void pack(Writer &writer, const Introspection &introspection) noexcept {
  put_object(writer, introspection.jwt.claims, introspection.jwt, is_one_of(decisive));
  put_object(writer, introspection.members, introspection.jwt, any);
  put_object(writer, introspection.envelope, introspection.jwt, is_one_of(decisive_of_envelope));
}

bool unpack(std::string_view bytes, std::string_view jwt, Memory &memory, Introspection &introspection) noexcept {
  Reader reader(bytes, jwt, memory);
  Introspection result;
  result.outcome = Outcome::active;
  result.jwt.compact = jwt;
  result.jwt.claims = reader.object();
  result.members = reader.object();
  result.envelope = reader.object();
  if (!reader.good() || !reader.at_end() || result.jwt.claims == nullptr) {
    return false;
  }
  introspection = result;
  return true;
}

bool read_whole_jwt(Introspection &introspection, Memory &memory) noexcept {
  const char *problem = nullptr;
  return introspection.jwt.header != nullptr ||
         parse_jwt(introspection.jwt.compact, memory, introspection.jwt, problem);
}

}  // namespace oauth
