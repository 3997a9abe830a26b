#include "token_information_codec.h"

#include <cstring>

#include "../jose/json_writer.h"

namespace oauth {
namespace {

/// A number is put seven bits to a byte, the lowest first; the eighth bit says that another byte follows.
constexpr unsigned low_bits = 7;
constexpr unsigned more_follow = 1U << low_bits;

void put_number(jose::Writer &writer, std::size_t number) noexcept {
  for (; number >= more_follow; number >>= low_bits) {
    writer.put(static_cast<char>((number & (more_follow - 1)) | more_follow));
  }
  writer.put(static_cast<char>(number));
}

void put_string(jose::Writer &writer, std::string_view text) noexcept {
  put_number(writer, text.size());
  writer.put(text);
}

/// @return the member whose text is where the JWT was read from; nullptr where there is none.
const jose::JsonValue *find_jwt_member(const jose::JsonValue &object, const jose::Jwt &jwt) noexcept {
  const jose::JsonValue *member = object.first;
  while (member != nullptr && (member->text.data() != jwt.compact.data() || member->text.size() != jwt.compact.size() ||
                               jwt.compact.empty())) {
    member = member->next;
  }
  return member;
}

void put_kind(jose::Writer &writer, jose::JsonKind kind) noexcept {
  writer.put(static_cast<char>(kind));
}

std::size_t count_of(const jose::JsonValue &container) noexcept {
  std::size_t count = 0;
  for (const jose::JsonValue *value = container.first; value != nullptr; value = value->next) {
    ++count;
  }
  return count;
}

void put_elements(jose::Writer &writer, const jose::JsonValue &array) noexcept {
  put_number(writer, count_of(array));
  for (const jose::JsonValue *element = array.first; element != nullptr; element = element->next) {
    put_kind(writer, element->kind);
    put_string(writer, element->text);
  }
}

void put_content(jose::Writer &writer, const jose::JsonValue &value) noexcept {
  if (value.kind == jose::JsonKind::array) {
    put_elements(writer, value);
  } else {
    put_string(writer, value.text);
  }
}

/// Puts the members as JSON, but the one that holds the JWT: only its name.
void put_members(jose::Writer &writer, const jose::JsonValue &object, const jose::Jwt &jwt) noexcept {
  const jose::JsonValue *jwt_member = find_jwt_member(object, jwt);
  put_string(writer, jwt_member == nullptr ? std::string_view() : jwt_member->name);
  char separator = '{';
  for (const jose::JsonValue *member = object.first; member != nullptr; member = member->next) {
    if (member != jwt_member) {
      writer.put(separator);
      jose::put_json_string(writer, member->name);
      writer.put(':');
      jose::put_json(writer, *member);
      separator = ',';
    }
  }
  writer.put(separator == '{' ? "{}" : "}");
}

constexpr unsigned is_absent = 0x7F;  // in the place of a kind

/// Puts the members of CheckedClaims, whatever their type.
class ClaimWriter {
 public:
  explicit ClaimWriter(jose::Writer &writer) noexcept : writer_(writer) {}

  void operator()(bool flag) noexcept { writer_.put(flag ? '\1' : '\0'); }

  /// As it lies in memory: packed bytes never leave the machine.
  void operator()(std::int64_t seconds) noexcept {
    writer_.put({reinterpret_cast<const char *>(&seconds), sizeof(seconds)});
  }

  void operator()(const jose::JsonValue *value) noexcept {
    if (value == nullptr) {
      writer_.put(static_cast<char>(is_absent));
      return;
    }
    put_kind(writer_, value->kind);
    put_content(writer_, *value);
  }

 private:
  jose::Writer &writer_;
};

/// Reads what pack() has put. After the first fault it is not good() any more, and what it returns means nothing.
class Reader {
 public:
  Reader(std::string_view bytes, jose::Memory &memory) noexcept : bytes_(bytes), memory_(memory) {}

  bool good() const noexcept { return good_; }
  std::string_view rest() const noexcept { return bytes_; }

  bool flag() noexcept { return byte() == 1; }
  std::int64_t seconds() noexcept;
  /// @return the value; nullptr where it is absent or not good().
  const jose::JsonValue *value() noexcept;
  /// @return the text; empty where it is not good().
  std::string_view string() noexcept { return take(number()); }

 private:
  unsigned byte() noexcept;
  std::size_t number() noexcept;
  std::string_view take(std::size_t size) noexcept;
  jose::JsonValue *array_of(std::size_t count) noexcept;
  void kind(jose::JsonValue &value, unsigned packed) noexcept;
  const jose::JsonValue *elements() noexcept;
  void content(jose::JsonValue &value) noexcept;
  void fail() noexcept { good_ = false; }

  std::string_view bytes_;
  jose::Memory &memory_;
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

std::string_view Reader::take(std::size_t size) noexcept {
  if (size > bytes_.size()) {
    fail();
    return {};
  }
  const std::string_view text = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return text;
}

/// @return that many linked values, or nullptr for none or where there is no memory for them.
jose::JsonValue *Reader::array_of(std::size_t count) noexcept {
  // A packed value has at least two bytes: no count in broken bytes makes this ask for more memory than they justify.
  if (count > bytes_.size() / 2) {
    fail();
  }
  if (count == 0 || !good_) {
    return nullptr;
  }
  auto *values = static_cast<jose::JsonValue *>(memory_.allocate(count * sizeof(jose::JsonValue)));
  if (values == nullptr) {
    fail();
    return nullptr;
  }
  for (std::size_t i = 0; i < count; ++i) {
    new (values + i) jose::JsonValue();
    values[i].next = i + 1 < count ? values + i + 1 : nullptr;
  }
  return values;
}

void Reader::kind(jose::JsonValue &value, unsigned packed) noexcept {
  if (packed > static_cast<unsigned>(jose::JsonKind::object)) {
    fail();
    return;
  }
  value.kind = static_cast<jose::JsonKind>(packed);
}

const jose::JsonValue *Reader::elements() noexcept {
  const std::size_t count = number();
  jose::JsonValue *values = array_of(count);
  for (std::size_t i = 0; i < count && good_; ++i) {
    kind(values[i], byte());
    values[i].text = take(number());
  }
  return values;
}

void Reader::content(jose::JsonValue &value) noexcept {
  if (value.kind == jose::JsonKind::array) {
    value.first = elements();
  } else {
    value.text = take(number());
  }
}

std::int64_t Reader::seconds() noexcept {
  std::int64_t seconds = 0;
  const std::string_view bytes = take(sizeof(seconds));
  if (!bytes.empty()) {
    std::memcpy(&seconds, bytes.data(), bytes.size());
  }
  return seconds;
}

const jose::JsonValue *Reader::value() noexcept {
  const unsigned packed = byte();
  if (packed == is_absent || !good_) {
    return nullptr;
  }
  auto *present = memory_.make<jose::JsonValue>();
  if (present == nullptr) {
    fail();
    return nullptr;
  }
  kind(*present, packed);
  content(*present);
  return present;
}

/// @return the object that put_members() has put; nullptr where there is no memory, or these are other bytes.
const jose::JsonValue *read_members(std::string_view packed, std::string_view jwt, jose::Memory &memory) noexcept {
  Reader reader(packed, memory);
  const std::string_view jwt_member = reader.string();
  const std::string_view json = reader.rest();
  auto *text = static_cast<char *>(memory.allocate(json.size() + 1));  // parse_json() puts a terminator there
  auto *object = memory.make<jose::JsonValue>();
  auto *holder = memory.make<jose::JsonValue>();
  if (!reader.good() || text == nullptr || object == nullptr || holder == nullptr) {
    return nullptr;
  }
  json.copy(text, json.size());
  const char *problem = nullptr;
  const jose::JsonValue *parsed = jose::parse_json(text, json.size(), memory, problem);
  if (parsed == nullptr || parsed->kind != jose::JsonKind::object) {
    return nullptr;
  }
  if (jwt_member.empty()) {
    return parsed;
  }
  *holder = {jose::JsonKind::string, jwt_member, jwt, nullptr, parsed->first};
  *object = {jose::JsonKind::object, {}, {}, holder, nullptr};
  return object;
}

/// Takes the members of CheckedClaims as ClaimWriter has put them.
class ClaimReader {
 public:
  explicit ClaimReader(Reader &reader) noexcept : reader_(reader) {}

  void operator()(bool &flag) noexcept { flag = reader_.flag(); }
  void operator()(std::int64_t &seconds) noexcept { seconds = reader_.seconds(); }
  void operator()(const jose::JsonValue *&value) noexcept { value = reader_.value(); }

 private:
  Reader &reader_;
};

/// What stands before the issuer and the value of a claim. It is read with each request, and so by one copy.
struct PackedRevocableClaim {
  std::int64_t iat;
  std::uint32_t hash;
  std::uint32_t kind;
  std::uint32_t issuer_size;
  std::uint32_t value_size;
};

void put_revocable_claims(jose::Writer &writer, const TokenInformation &information) noexcept {
  RevocableClaim claims[most_revocable_claims];
  const std::size_t count = list_revocable_claims(information.jwt.claims, information.members, claims);
  for (std::size_t i = 0; i < count; ++i) {
    const RevocableClaim &claim = claims[i];
    const PackedRevocableClaim packed = {claim.iat, claim.hash, static_cast<std::uint32_t>(claim.kind),
                                         static_cast<std::uint32_t>(claim.issuer.size()),
                                         static_cast<std::uint32_t>(claim.value.size())};
    writer.put({reinterpret_cast<const char *>(&packed), sizeof(packed)});
    writer.put(claim.issuer);
    writer.put(claim.value);
  }
}

}  // namespace

void pack(jose::Writer &writer, const TokenInformation &information) noexcept {
  for_each_member(information.checked_claims, ClaimWriter(writer));
  const std::string_view packed_claims = information.packed_revocable_claims;
  jose::Writer claims(nullptr);
  put_revocable_claims(claims, information);
  put_number(writer, packed_claims.empty() ? claims.size() : packed_claims.size());
  if (packed_claims.empty()) {
    put_revocable_claims(writer, information);
  } else {
    writer.put(packed_claims);
  }
  const bool is_unpacked = !information.packed_members.empty();
  const bool has_members = is_unpacked || information.members != nullptr;
  writer.put(has_members ? '\1' : '\0');
  if (is_unpacked) {
    writer.put(information.packed_members);
  } else if (has_members) {
    put_members(writer, *information.members, information.jwt);
  }
}

bool unpack(std::string_view bytes, std::string_view jwt, jose::Memory &memory,
            TokenInformation &information) noexcept {
  Reader reader(bytes, memory);
  CheckedClaims checked_claims;
  for_each_member(checked_claims, ClaimReader(reader));
  const std::string_view revocable_claims = reader.string();
  const bool has_members = reader.flag();
  if (!reader.good() || !checked_claims.gathered || has_members == reader.rest().empty()) {
    return false;
  }
  information = {};
  information.outcome = Outcome::active;
  information.jwt.compact = jwt;
  information.checked_claims = checked_claims;
  information.packed_revocable_claims = revocable_claims;
  information.packed_members = reader.rest();
  return true;
}

bool take_revocable_claim(std::string_view &rest, RevocableClaim &claim) noexcept {
  PackedRevocableClaim packed;
  if (rest.size() < sizeof(packed)) {
    return false;
  }
  std::memcpy(&packed, rest.data(), sizeof(packed));
  const std::string_view texts = rest.substr(sizeof(packed));
  const std::size_t size = std::size_t{packed.issuer_size} + packed.value_size;
  if (size > texts.size() || packed.kind >= revoked_kind_count) {
    return false;
  }
  claim = {texts.substr(packed.issuer_size, packed.value_size), texts.substr(0, packed.issuer_size), packed.iat,
           packed.hash, static_cast<RevokedKind>(packed.kind)};
  rest = texts.substr(size);
  return true;
}

bool read_all(TokenInformation &information, jose::Memory &memory) noexcept {
  if (information.members == nullptr && !information.packed_members.empty()) {
    information.members = read_members(information.packed_members, information.jwt.compact, memory);
    if (information.members == nullptr) {
      return false;
    }
  }
  const char *problem = nullptr;
  return information.jwt.compact.empty() || information.jwt.header != nullptr ||
         jose::parse_jwt(information.jwt.compact, memory, information.jwt, problem);
}

}  // namespace oauth
