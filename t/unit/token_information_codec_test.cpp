#include "oauth/token_information_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "oauth/claim.h"
#include "oauth/decision.h"
#include "oauth/exchange.h"
#include "oauth/introspection.h"
#include "test_jwt.h"
#include "test_memory.h"

namespace oauth {

using namespace jose;
namespace {

using std::literals::operator""sv;

constexpr std::string_view jwt_members[] = {"jwt"};

/// A response of the authorization server, and what the gateway reads from it.
struct Answer {
  std::string_view name;
  std::string content_type;
  std::string body;
  bool is_exchange = false;
};

/// Every kind of value that JSON knows, and each claim that a decision looks at.
constexpr std::string_view all_claims =
    R"({"exp":4102444800.5,"nbf":-1e2,"iss":"https://\u00e4.example/\ud83d\ude00","aud":["a","",1,null,true,[],{"b":[]}],)"
    R"("scope":"","scp":["read","write"],"cnf":{"jkt":"x"},"token_type":null,"sub":"\u0000\t\"","empty":"","no":[],)"
    R"("none":{},"yes":true,"not":false,"big":123456789012345678901234567890,"nested":{"exp":0},"E":1E5})";

std::string with_jwt(std::string_view members, std::string_view jwt) {
  return std::string(members.substr(0, members.size() - 1)) + R"(,"active":true,"jwt":")" + std::string(jwt) + "\"}";
}

std::string many_members() {
  std::string json = "{";
  for (int i = 0; i < 300; ++i) {  // more than one byte counts
    json += "\"member-" + std::to_string(i) + "\":\"" + std::string(static_cast<std::size_t>(i), 'x') + "\",";
  }
  return json + R"("sub":"many"})";
}

std::vector<Answer> answers() {
  const std::string whole = make_jwt(all_claims);
  const std::string small = make_jwt(R"({"sub":"alice"})");
  return {
      {"a bare JWT without claims", "application/jwt", make_jwt("{}")},
      {"a bare JWT with all claims", "application/jwt", whole},
      {"a bare JWT of 20 KB", "application/jwt",
       make_jwt(R"({"exp":4102444800,"x":")" + std::string(20000, 'x') + "\"}")},
      {"a JSON answer with nothing else", "application/json", with_jwt(R"({"a":1})", small)},
      {"a JSON answer with all members", "application/json", with_jwt(all_claims, small)},
      {"a JSON answer with many members", "application/json", with_jwt(many_members(), whole)},
      {"a JSON answer whose JWT is escaped", "application/json",
       R"({"active":true,"jwt":"\u0065)" + small.substr(1) + R"(","exp":4102444800})"},
      {"an RFC 9701 envelope", "application/token-introspection+jwt",
       make_envelope(R"({"exp":4102444800,"nbf":1,"iss":"as","token_introspection":)" + with_jwt(all_claims, small) +
                     "}")},
      {"a token exchange", "application/json",
       R"({"access_token":")" + whole +
           R"(","issued_token_type":"urn:ietf:params:oauth:token-type:jwt","token_type":"N_A","expires_in":60,"scope":"a b"})",
       true},
  };
}

/// An answer, packed. What it was read from is gone afterwards, as it is in the shared memory.
class Packed {
 public:
  explicit Packed(const Answer &answer) : text_(answer.body) {
    Response response;
    response.status = 200;
    response.content_type = answer.content_type;
    response.complete = true;
    response.body = text_.data();
    response.body_size = text_.size();
    information_ = answer.is_exchange ? read_exchange(response, "urn:ietf:params:oauth:token-type:jwt", memory_)
                                      : read_introspection(response, {{jwt_members, 1}}, memory_);
    EXPECT_EQ(information_.outcome, Outcome::active) << answer.name << ": " << information_.problem;
    std::string_view packed;
    EXPECT_TRUE(write_text(
        memory_, [&](Writer &writer) { pack(writer, information_); }, packed));
    bytes_ = packed;
    jwt_ = information_.jwt.compact;
  }

  const TokenInformation &information() const { return information_; }
  const std::string &bytes() const { return bytes_; }
  const std::string &jwt() const { return jwt_; }

 private:
  TestMemory memory_;
  TestText text_;
  TokenInformation information_;
  std::string bytes_;
  std::string jwt_;
};

/// Bytes in a block of their own size, so that AddressSanitizer sees who reads past them.
class Block {
 public:
  explicit Block(std::string_view bytes) : size_(bytes.size()), data_(new char[bytes.size()]) {
    bytes.copy(data_.get(), size_);
  }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> data_;
};

/// Everything that a value says, in a form that can be compared. No list is longer than its bytes.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the values are.
std::string shown(const JsonValue *value, int depth) {
  if (value == nullptr) {
    return "nothing";
  }
  std::string text = std::to_string(static_cast<int>(value->kind)) + "'" + std::string(value->text) + "'";
  if (depth == 0) {
    return text;
  }
  text += '(';
  for (const JsonValue *item = value->first; item != nullptr; item = item->next) {
    text += std::string(item->name) + ':' + shown(item, depth - 1) + ',';
  }
  return text + ')';
}

/// In the order of their names: the one that holds the JWT may have another place.
std::string shown_members(const JsonValue *object) {
  if (object == nullptr) {
    return "nothing";
  }
  std::vector<std::string> members;
  for (const JsonValue *member = object->first; member != nullptr; member = member->next) {
    members.push_back(std::string(member->name) + ':' + shown(member, 9) + ',');
  }
  std::sort(members.begin(), members.end());
  std::string text;
  for (const std::string &member : members) {
    text += member;
  }
  return text;
}

/// Shows each member of CheckedClaims.
struct ShowMember {
  std::string &text;

  void operator()(bool flag) const { text += flag ? " yes" : " no"; }
  void operator()(std::int64_t seconds) const { text += ' ' + std::to_string(seconds); }
  void operator()(const JsonValue *value) const {
    text += ' ' + shown(value, value != nullptr && value->kind == JsonKind::array ? 1 : 0);
  }
};

std::string shown_claims(const CheckedClaims &claims) {
  std::string text;
  for_each_member(claims, ShowMember{text});
  return text;
}

TEST(PackedTokenInformation, HoldsWhatADecisionReads) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    const TokenInformation &before = packed.information();
    const Block bytes(packed.bytes());
    const Block jwt(packed.jwt());
    TestMemory memory;
    TokenInformation after;
    ASSERT_TRUE(unpack(bytes.view(), jwt.view(), memory, after)) << answer.name;
    EXPECT_EQ(after.outcome, Outcome::active) << answer.name;
    EXPECT_EQ(after.problem, nullptr) << answer.name;
    EXPECT_EQ(after.jwt.compact.data(), jwt.view().data()) << answer.name;
    EXPECT_EQ(after.jwt.compact.size(), jwt.view().size()) << answer.name;
    EXPECT_EQ(after.jwt.header, nullptr) << answer.name;
    EXPECT_EQ(shown_claims(after.checked_claims), shown_claims(before.checked_claims)) << answer.name;
    ASSERT_TRUE(read_all(after, memory)) << answer.name;
    EXPECT_EQ(shown_members(after.members), shown_members(before.members)) << answer.name;
    EXPECT_EQ(after.members == nullptr, before.members == nullptr) << answer.name;
  }
}

/// Gives each member of CheckedClaims a value of its own that is not its default.
struct FillMember {
  JsonValue *values;
  std::int64_t number = 0;

  void operator()(bool &flag) { flag = !flag; }
  void operator()(std::int64_t &seconds) { seconds = ++number; }
  void operator()(const JsonValue *&value) {
    values[++number].kind = JsonKind::number;
    values[number].text = std::string_view("0123456789abcdef").substr(static_cast<std::size_t>(number), 1);
    value = &values[number];
  }
};

TEST(PackedTokenInformation, HoldsEveryCheckedClaim) {
  JsonValue values[16];
  TokenInformation before;
  for_each_member(before.checked_claims, FillMember{values});
  TestMemory memory;
  std::string_view packed;
  ASSERT_TRUE(write_text(
      memory, [&](Writer &writer) { pack(writer, before); }, packed));
  TokenInformation after;
  ASSERT_TRUE(unpack(packed, "a.b.c", memory, after));
  EXPECT_EQ(shown_claims(after.checked_claims), shown_claims(before.checked_claims));
  EXPECT_NE(shown_claims(after.checked_claims), shown_claims(CheckedClaims()));
}

TEST(PackedTokenInformation, OfClaimsThatWereNotGatheredIsRefused) {
  TestMemory memory;
  std::string_view packed;
  ASSERT_TRUE(write_text(
      memory, [&](Writer &writer) { pack(writer, TokenInformation()); }, packed));
  TokenInformation after;
  EXPECT_FALSE(unpack(packed, "a.b.c", memory, after));
}

TEST(PackedTokenInformation, CanBePackedAgain) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    for (const bool read_before : {false, true}) {
      TestMemory memory;
      TokenInformation after;
      ASSERT_TRUE(unpack(packed.bytes(), packed.jwt(), memory, after)) << answer.name;
      ASSERT_TRUE(!read_before || read_all(after, memory)) << answer.name;
      std::string_view again;
      ASSERT_TRUE(write_text(
          memory, [&](Writer &writer) { pack(writer, after); }, again));
      EXPECT_EQ(again, packed.bytes()) << answer.name;
    }
  }
}

TEST(PackedTokenInformation, DoesNotHoldTheJwtTwice) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    EXPECT_EQ(packed.bytes().find(packed.jwt()), std::string::npos) << answer.name;
  }
}

/// What variables say of a claim; claims come from the JWT, else from the JSON answer.
std::string claim(const TokenInformation &information, std::string_view name, Memory &memory) {
  ClaimMatch match = find_claim(information.jwt.claims, name);
  if (match.count == 0) {
    match = find_claim(information.members, name);
  }
  std::string_view text;
  if (match.count == 1) {
    EXPECT_TRUE(claim_text(*match.claim, memory, text));
  }
  return std::to_string(match.count) + ' ' + std::string(text);
}

TEST(PackedTokenInformation, GivesAllClaimsOnceTheJwtIsReadAgain) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    const Block bytes(packed.bytes());
    const Block jwt(packed.jwt());
    TestMemory memory;
    TokenInformation after;
    ASSERT_TRUE(unpack(bytes.view(), jwt.view(), memory, after)) << answer.name;
    ASSERT_TRUE(read_all(after, memory)) << answer.name;
    ASSERT_NE(after.jwt.header, nullptr) << answer.name;
    EXPECT_EQ(shown(after.jwt.header, 9), shown(packed.information().jwt.header, 9)) << answer.name;
    EXPECT_EQ(shown(after.jwt.claims, 9), shown(packed.information().jwt.claims, 9)) << answer.name;
    EXPECT_EQ(after.jwt.compact, packed.jwt()) << answer.name;
    for (const std::string_view name : {"exp",
                                        "nbf",
                                        "iss",
                                        "aud",
                                        "scope",
                                        "scp",
                                        "cnf",
                                        "token_type",
                                        "sub",
                                        "empty",
                                        "no",
                                        "none",
                                        "yes",
                                        "not",
                                        "big",
                                        "nested",
                                        "e",
                                        "a",
                                        "jwt",
                                        "active",
                                        "member_299",
                                        "client_id",
                                        "issued_token_type"}) {
      EXPECT_EQ(claim(after, name, memory), claim(packed.information(), name, memory)) << answer.name << ' ' << name;
    }
  }
}

TEST(PackedTokenInformation, IsReadWholeOnlyOnce) {
  const Packed packed(answers()[1]);
  TestMemory memory;
  TokenInformation after;
  ASSERT_TRUE(unpack(packed.bytes(), packed.jwt(), memory, after));
  ASSERT_TRUE(read_all(after, memory));
  const JsonValue *claims = after.jwt.claims;
  TestMemory none(0);
  EXPECT_TRUE(read_all(after, none));
  EXPECT_EQ(after.jwt.claims, claims);

  TokenInformation never_packed = packed.information();
  EXPECT_TRUE(read_all(never_packed, none));
}

// --- bytes that are not what pack() has put ---

/// Everything that the gateway does with information that has been unpacked.
void use(TokenInformation &information) {
  TestMemory memory;
  Requirements requirements;
  constexpr std::string_view wanted[] = {"read"};
  requirements.scopes = requirements.issuers = requirements.audiences = {wanted, 1};
  (void)decide(information, requirements, {}, 0);
  (void)decide(information, Requirements(), {}, 0);
  (void)read_all(information, memory);
  (void)shown_members(information.members);
  (void)claim(information, "sub", memory);
}

TEST(PackedTokenInformation, RefusesEveryTruncation) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    for (std::size_t size = 0; size < packed.bytes().size(); ++size) {
      const Block bytes(std::string_view(packed.bytes()).substr(0, size));
      TestMemory memory;
      TokenInformation after;
      const bool unpacked = unpack(bytes.view(), packed.jwt(), memory, after);
      ASSERT_FALSE(unpacked && read_all(after, memory)) << answer.name << ", " << size << " bytes";
      EXPECT_EQ(after.outcome, unpacked ? Outcome::active : Outcome::internal_error);
      EXPECT_EQ(after.checked_claims.gathered, unpacked);
    }
  }
}

TEST(PackedTokenInformation, RefusesWhatFollows) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    for (const std::string_view more : {"\0"sv, "\1"sv, "x"sv}) {
      TestMemory memory;
      TokenInformation after;
      const std::string bytes = packed.bytes() + std::string(more);
      EXPECT_FALSE(unpack(bytes, packed.jwt(), memory, after) && read_all(after, memory)) << answer.name;
    }
  }
}

TEST(PackedTokenInformation, SurvivesEveryCorruptedByte) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    if (packed.bytes().size() > 1000) {
      continue;  // the smaller ones have all that there is
    }
    for (std::size_t at = 0; at < packed.bytes().size(); ++at) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        std::string corrupted = packed.bytes();
        corrupted[at] = static_cast<char>(byte);
        const Block bytes(corrupted);
        TestMemory memory;
        TokenInformation after;
        if (unpack(bytes.view(), packed.jwt(), memory, after)) {
          EXPECT_EQ(after.outcome, Outcome::active);
          ASSERT_TRUE(after.checked_claims.gathered);
          use(after);
        }
      }
    }
  }
}

TEST(PackedTokenInformation, RefusesWhatPackNeverPuts) {
  const std::string longest_number(10, '\xff');
  const struct {
    std::string_view name;
    std::string members;
  } cases[] = {
      {"members that are not there", ""},
      {"more members than there are bytes", std::string("\x7f\0\0", 3)},
      {"a number of members beyond 64 bits", longest_number + std::string(20, '\0')},
      {"a size beyond what is left", std::string("\1\3\x7f"
                                                 "a\0",
                                                 5)},
      {"a size that wraps", std::string("\1\3", 2) + longest_number.substr(1) + "\1a" + std::string(3, '\0')},
      {"a kind that is none", std::string("\1\6\1a\0", 5)},
      {"an element of a kind that is none", std::string("\1\4\1a\1\x86\0", 7)},
      {"a member too few", std::string("\2\1\1a\4true", 9)},
  };
  const Packed packed({"", "application/jwt", make_jwt("{}")});
  const std::string claims = packed.bytes().substr(0, packed.bytes().size() - 1);
  for (const auto &test : cases) {
    const Block bytes(claims + '\1' + test.members);
    TestMemory memory;
    TokenInformation after;
    EXPECT_FALSE(unpack(bytes.view(), packed.jwt(), memory, after) && read_all(after, memory)) << test.name;
  }
  TestMemory memory;
  TokenInformation after;
  EXPECT_FALSE(unpack(claims + std::string(1, '\0') + "x", packed.jwt(), memory, after)) << "more than no members";
}

TEST(PackedTokenInformation, IsRefusedWithoutMemory) {
  for (const Answer &answer : answers()) {
    const Packed packed(answer);
    expect_refusal_without_memory([&](Memory &memory) {
      TokenInformation after;
      return unpack(packed.bytes(), packed.jwt(), memory, after) && read_all(after, memory);
    });
    expect_refusal_without_memory([&](Memory &memory) {
      std::string_view bytes;
      return write_text(
          memory, [&](Writer &writer) { pack(writer, packed.information()); }, bytes);
    });
  }
}

}  // namespace
}  // namespace oauth
