#include "client_assertion.h"

#include "../jose/json_writer.h"
#include "../jose/writer.h"

namespace oauth {
namespace {

void put_header(jose::Writer &writer, const ClientAssertionTemplate &common) noexcept {
  writer.put(R"({"alg":")");
  writer.put(algorithm_name(common.signer));
  writer.put(R"(","typ":"JWT")");
  if (!common.kid.empty()) {
    writer.put(R"(,"kid":)");
    jose::put_json_string(writer, common.kid);
  }
  writer.put('}');
}

void put_claims(jose::Writer &writer, const ClientAssertionTemplate &common, std::int64_t now,
                std::string_view jti) noexcept {
  writer.put(R"({"iss":)");
  jose::put_json_string(writer, common.client_id);
  writer.put(R"(,"sub":)");
  jose::put_json_string(writer, common.client_id);
  writer.put(R"(,"aud":)");
  jose::put_json_string(writer, common.audience);
  writer.put(R"(,"jti":")");
  writer.put(jti);
  writer.put(R"(","iat":)");
  jose::put_json_number(writer, now);
  writer.put(R"(,"exp":)");
  jose::put_json_number(writer, now + client_assertion_lifetime);
  writer.put('}');
}

}  // namespace

bool make_client_assertion(const ClientAssertionTemplate &common, std::int64_t now, std::string_view jti,
                           jose::Memory &memory, std::string_view &assertion) noexcept {
  std::string_view header;
  std::string_view claims;
  return jose::write_text(
             memory, [&](jose::Writer &writer) { put_header(writer, common); }, header) &&
         jose::write_text(
             memory, [&](jose::Writer &writer) { put_claims(writer, common, now, jti); }, claims) &&
         jose::make_compact_jws(common.signer, header, claims, memory, assertion);
}

}  // namespace oauth
