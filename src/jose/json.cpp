#include "json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

// An assertion must not end a worker process. None can fail on the way taken below: json_max_size keeps lengths in
// range, and the others are invariants of the reader itself.
#define RAPIDJSON_ASSERT(condition) static_cast<void>(0)
#include <rapidjson/reader.h>

namespace jose {

namespace {

/// The text as a stream that RapidJSON reads and rewrites in place. Its own InsituStringStream goes past the end of a
/// text that stops within a UTF-8 sequence; this one never does.
class TextStream {
 public:
  using Ch = char;

  TextStream(char *text, std::size_t size) noexcept : begin_(text), read_(text), write_(text), end_(text + size) {
    *end_ = '\0';
  }

  char Peek() const noexcept { return *read_; }
  char Take() noexcept { return read_ == end_ ? '\0' : *read_++; }
  std::size_t Tell() const noexcept { return static_cast<std::size_t>(read_ - begin_); }

  char *PutBegin() noexcept { return write_ = read_; }
  std::size_t PutEnd(const char *begin) const noexcept { return static_cast<std::size_t>(write_ - begin); }
  void Put(char c) noexcept {
    if (write_ < read_) {
      *write_++ = c;
    }
  }

  bool at_end() const noexcept { return read_ == end_; }

 private:
  char *begin_;
  char *read_;
  char *write_;
  char *end_;
};

}  // namespace

}  // namespace jose

/// Tells RapidJSON to work on a copy of the stream. Of a number it hands over the characters only then.
template <>
struct rapidjson::StreamTraits<jose::TextStream> {
  static constexpr int copyOptimization = 1;
};

namespace jose {

namespace {

// The reader counts digits and exponents in an int: this keeps it from overflowing.
constexpr std::size_t json_max_size = std::size_t{1} << 26U;

// Up to here, comparing all pairs of names is quicker than sorting them.
constexpr std::size_t few_members = 16;

constexpr const char *lone_surrogate = "the JSON has a lone surrogate";
constexpr const char *memory_is_short = "there is no memory for the JSON";

// UTF-8 has no surrogates (RFC 3629 section 3). The reader refuses those that are written as bytes; but an escaped low
// surrogate without a high one before it, such as \uDC00, it turns into such bytes.
bool holds_surrogate(std::string_view text) noexcept {
  for (std::size_t at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1)) {
    if (static_cast<unsigned char>(text[at + 1]) >= 0xA0) {
      return true;
    }
  }
  return false;
}

bool few_names_are_unique(const JsonValue *first) noexcept {
  for (; first != nullptr; first = first->next) {
    for (const JsonValue *other = first->next; other != nullptr; other = other->next) {
      if (first->name == other->name) {
        return false;
      }
    }
  }
  return true;
}

/// Builds the values out of the reader's events. Default() refuses every event that no function below expects.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
 public:
  explicit Builder(Memory &memory) noexcept : memory_(memory) {}

  const JsonValue *root() const noexcept { return root_; }
  /// @return why an event was refused; nullptr where none was.
  const char *problem() const noexcept { return problem_; }

  bool Default() noexcept { return refuse("the JSON is malformed"); }
  bool Null() noexcept { return add(JsonKind::null, {}) != nullptr; }
  bool Bool(bool value) noexcept { return add(JsonKind::boolean, value ? "true" : "false") != nullptr; }
  bool RawNumber(const char *text, rapidjson::SizeType size, bool /*copy*/) noexcept {
    return add(JsonKind::number, {text, size}) != nullptr;
  }
  bool String(const char *text, rapidjson::SizeType size, bool /*copy*/) noexcept { return string({text, size}); }
  bool Key(const char *text, rapidjson::SizeType size, bool /*copy*/) noexcept { return key({text, size}); }
  bool StartObject() noexcept { return open(JsonKind::object); }
  bool EndObject(rapidjson::SizeType members) noexcept { return check_names(close()->first, members); }
  bool StartArray() noexcept { return open(JsonKind::array); }
  bool EndArray(rapidjson::SizeType /*elements*/) noexcept { return close() != nullptr; }

 private:
  bool refuse(const char *problem) noexcept;
  bool string(std::string_view text) noexcept;
  bool key(std::string_view name) noexcept;
  JsonValue *new_value() noexcept;
  JsonValue *add(JsonKind kind, std::string_view text) noexcept;
  bool open(JsonKind kind) noexcept;
  const JsonValue *close() noexcept;
  bool check_names(const JsonValue *first, std::size_t count) noexcept;

  Memory &memory_;
  const char *problem_ = nullptr;
  const JsonValue *root_ = nullptr;
  const JsonValue **link_ = &root_;  // where the next value goes
  JsonValue *open_[json_max_depth] = {};
  std::size_t depth_ = 0;
  JsonValue *room_ = nullptr;  // for the next values
  std::size_t room_left_ = 0;
  std::string_view name_;  // of the member whose value comes next
};

bool Builder::refuse(const char *problem) noexcept {
  problem_ = problem;
  return false;
}

/// Asks for memory in blocks; one block has room for the claims of a small JWT.
JsonValue *Builder::new_value() noexcept {
  constexpr std::size_t block = 12;
  if (room_left_ == 0) {
    room_ = static_cast<JsonValue *>(memory_.allocate(block * sizeof(JsonValue)));
    room_left_ = room_ == nullptr ? 0 : block;
  }
  if (room_ == nullptr) {
    return nullptr;
  }
  --room_left_;
  return new (room_++) JsonValue();
}

JsonValue *Builder::add(JsonKind kind, std::string_view text) noexcept {
  JsonValue *value = new_value();
  if (value == nullptr) {
    refuse(memory_is_short);
    return nullptr;
  }
  value->kind = kind;
  value->name = std::exchange(name_, {});
  value->text = text;
  *link_ = value;
  link_ = &value->next;
  return value;
}

bool Builder::string(std::string_view text) noexcept {
  return holds_surrogate(text) ? refuse(lone_surrogate) : add(JsonKind::string, text) != nullptr;
}

bool Builder::key(std::string_view name) noexcept {
  if (holds_surrogate(name)) {
    return refuse(lone_surrogate);
  }
  if (name.find('\0') != std::string_view::npos) {
    return refuse("the JSON has a NUL in a member's name");
  }
  name_ = name;
  return true;
}

bool Builder::open(JsonKind kind) noexcept {
  if (depth_ == json_max_depth) {
    return refuse("the JSON is nested too deeply");
  }
  JsonValue *container = add(kind, {});
  if (container == nullptr) {
    return false;
  }
  open_[depth_++] = container;
  link_ = &container->first;
  return true;
}

const JsonValue *Builder::close() noexcept {
  JsonValue *container = open_[--depth_];
  link_ = &container->next;
  return container;
}

// Many names are sorted before they are compared, so that no response takes quadratic time.
bool Builder::check_names(const JsonValue *first, std::size_t count) noexcept {
  constexpr const char *duplicate = "the JSON has an object with duplicate members";
  if (count <= few_members) {
    return few_names_are_unique(first) || refuse(duplicate);
  }
  void *room = memory_.allocate(count * sizeof(std::string_view));
  if (room == nullptr) {
    return refuse(memory_is_short);
  }
  auto *names = static_cast<std::string_view *>(room);
  auto *end = names;
  for (const JsonValue *member = first; member != nullptr; member = member->next) {
    new (end++) std::string_view(member->name);
  }
  std::sort(names, end);
  return std::adjacent_find(names, end) == end || refuse(duplicate);
}

/// @return why the text is refused before the reader sees it; nullptr where it is not.
const char *explain_unreadable(std::string_view text) noexcept {
  if (text.empty()) {
    return "the JSON is empty";
  }
  if (text.size() > json_max_size) {
    return "the JSON is too large";
  }
  return text.substr(0, 3) == "\xEF\xBB\xBF" ? "the JSON begins with a byte order mark" : nullptr;
}

const char *explain(rapidjson::ParseErrorCode error) noexcept {
  switch (error) {
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "the JSON has invalid UTF-8";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return lone_surrogate;
    case rapidjson::kParseErrorNumberTooBig:
      return "the JSON has a number that is too large";
    default:
      return "the JSON is malformed";
  }
}

/// @param rest what follows a number's integer part.
/// @return whether it is a fraction without an exponent. Then the integer part is the number rounded to zero; a double
///   might round it up, as it does with 1700000000.99999999999.
bool is_fraction(std::string_view rest) noexcept {
  return rest.front() == '.' && rest.find_first_of("eE") == std::string_view::npos;
}

std::int64_t to_seconds(double number) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  constexpr double beyond = 9223372036854775808.0;  // 2^63; no double is the largest 64-bit integer, 2^63 - 1
  if (number >= beyond) {
    return Limits::max();
  }
  return number < -beyond ? Limits::min() : static_cast<std::int64_t>(number);
}

}  // namespace

const JsonValue *JsonValue::member(std::string_view member_name) const noexcept {
  const JsonValue *value = member_or_null(member_name);
  return value == nullptr || value->kind == JsonKind::null ? nullptr : value;
}

const JsonValue *JsonValue::member_or_null(std::string_view member_name) const noexcept {
  if (kind != JsonKind::object) {
    return nullptr;
  }
  const JsonValue *candidate = first;
  while (candidate != nullptr && candidate->name != member_name) {
    candidate = candidate->next;
  }
  return candidate;
}

bool is_array_of_strings(const JsonValue &value) noexcept {
  if (value.kind != JsonKind::array) {
    return false;
  }
  const JsonValue *element = value.first;
  while (element != nullptr && element->kind == JsonKind::string) {
    element = element->next;
  }
  return element == nullptr;
}

const JsonValue *parse_json(char *text, std::size_t size, Memory &memory, const char *&problem) noexcept {
  // RapidJSON's recursive reader, not its iterative one, which needs a stack on the heap: the handler refuses a level
  // too many before the reader enters it, so that json_max_depth bounds the recursion too.
  constexpr unsigned flags =
      rapidjson::kParseInsituFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;

  if (const char *unreadable = explain_unreadable({text, size})) {
    problem = unreadable;
    return nullptr;
  }
  TextStream stream(text, size);
  Builder builder(memory);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<flags>(stream, builder);
  if (result.IsError()) {
    problem = builder.problem() != nullptr ? builder.problem() : explain(result.Code());
    return nullptr;
  }
  if (!stream.at_end()) {
    problem = "the JSON is followed by a NUL";  // the reader takes a NUL for the end of the text
    return nullptr;
  }
  return builder.root();
}

bool read_numeric_date(const JsonValue &value, std::int64_t &seconds) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  if (value.kind != JsonKind::number) {
    return false;
  }

  const char *begin = value.text.data();
  const char *end = begin + value.text.size();
  const auto whole = std::from_chars(begin, end, seconds);
  if (whole.ptr == end) {
    if (whole.ec == std::errc::result_out_of_range) {
      seconds = *begin == '-' ? Limits::min() : Limits::max();
    }
    return true;
  }
  const std::string_view rest(whole.ptr, static_cast<std::size_t>(end - whole.ptr));
  if (whole.ec == std::errc() && is_fraction(rest)) {
    const bool lies_below = *begin == '-' && rest.find_first_not_of(".0") != std::string_view::npos;
    seconds -= lies_below && seconds != Limits::min() ? 1 : 0;
    return true;
  }

  double number = 0;
  if (std::from_chars(begin, end, number).ec != std::errc()) {
    return false;
  }
  seconds = to_seconds(std::floor(number));
  return true;
}

}  // namespace jose
