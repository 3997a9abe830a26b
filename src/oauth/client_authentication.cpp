#include "client_authentication.h"

#include "../jose/base64.h"
#include "form.h"

namespace oauth {
namespace {

constexpr std::string_view scheme = "Basic ";

/// The form-encoded parameters before an assertion (RFC 7523 section 2.2).
constexpr std::string_view assertion_parameters =
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";

void put_user_and_password(jose::Writer &writer, const ClientCredentials &credentials) noexcept {
  if (credentials.method == ClientAuthentication::basic_raw) {
    writer.put(credentials.id);
    writer.put(':');
    writer.put(credentials.secret);
  } else {
    put_form_encoded(writer, credentials.id);
    writer.put(':');
    put_form_encoded(writer, credentials.secret);
  }
}

}  // namespace

std::string_view name(ClientAuthentication method) noexcept {
  switch (method) {
    case ClientAuthentication::basic:
      return "basic";
    case ClientAuthentication::basic_raw:
      return "basic_raw";
    case ClientAuthentication::post:
      return "post";
    case ClientAuthentication::client_secret_jwt:
      return "client_secret_jwt";
    case ClientAuthentication::private_key_jwt:
      return "private_key_jwt";
    case ClientAuthentication::none:
      return "none";
  }
  return {};
}

bool write_basic_authorization(const ClientCredentials &credentials, jose::Memory &memory,
                               std::string_view &value) noexcept {
  value = {};
  if (credentials.id.empty() || !has_basic_authorization(credentials.method)) {
    return true;
  }
  std::string_view plain;
  if (!jose::write_text(
          memory, [&](jose::Writer &writer) { put_user_and_password(writer, credentials); }, plain)) {
    return false;
  }
  const std::size_t encoded_size = jose::base64_encoded_size(plain.size());
  auto *bytes = static_cast<char *>(memory.allocate(scheme.size() + encoded_size + 1));  // and base64's terminator
  if (bytes == nullptr) {
    return false;
  }
  scheme.copy(bytes, scheme.size());
  jose::base64_encode(plain, bytes + scheme.size());
  value = {bytes, scheme.size() + encoded_size};
  return true;
}

void put_client_parameters(jose::Writer &writer, const ClientCredentials &credentials) noexcept {
  if (credentials.id.empty() || has_basic_authorization(credentials.method)) {
    return;
  }
  writer.put("&client_id=");
  put_form_encoded(writer, credentials.id);
  if (credentials.method == ClientAuthentication::post) {
    writer.put("&client_secret=");
    put_form_encoded(writer, credentials.secret);
  } else if (uses_assertion(credentials.method)) {
    writer.put(assertion_parameters);
  }
}

}  // namespace oauth
