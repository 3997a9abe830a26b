#include "advice.h"

namespace gateway {
namespace {

struct Advice {
  unsigned status;
  const char *about_token;
  const char *about_keys;  ///< of a request for the JWK Set, which has no credentials and names no token
};

constexpr const char *redirect_advice =
    "write that URL into \"proxy_pass\", or with \"proxy_set_header Host\" the host that the server knows itself by";

constexpr const char *method_advice =
    "is the path in \"proxy_pass\" right? introspection and token exchange are POST, a JWK Set is GET";

constexpr const char *name_advice =
    "add \"proxy_ssl_server_name on;\", and \"proxy_ssl_name\" with the name that the server has";

constexpr const char *version_advice = "add \"proxy_http_version 1.1;\"";

constexpr const char *busy_advice = "does the cache work, and is its time long enough?";

constexpr Advice advices[] = {
    {301, redirect_advice, redirect_advice},
    {302, redirect_advice, redirect_advice},
    {303, redirect_advice, redirect_advice},
    {307, redirect_advice, redirect_advice},
    {308, redirect_advice, redirect_advice},
    {400,
     "does \"proxy_pass\" say \"http\" where it should say \"https\", does it get another Host than its own, no client "
     "credentials, no client certificate? or does the server say so of tokens that it does not know "
     "(\"phantom_token_inactive_status\")?",
     "does \"proxy_pass\" say \"http\" where it should say \"https\", or does the server get another Host than its "
     "own?"},
    {401,
     "are \"phantom_token_client_id\", its secret and \"phantom_token_client_auth\" right, or the \"proxy_set_header "
     "Authorization\" that replaces them?",
     "a JWK Set is public: is the path in \"proxy_pass\" right, and the Host that the server gets?"},
    {403,
     "either its client lacks the right to ask, or a firewall wants another \"proxy_set_header User-Agent\", another "
     "Host or another address of the gateway",
     "a firewall may want another \"proxy_set_header User-Agent\", another Host or another address of the gateway"},
    {404,
     "is the path in \"proxy_pass\" right, and the Host that the server gets? or does the server say so of tokens that "
     "it does not know (\"phantom_token_inactive_status\")?",
     "is the path in \"proxy_pass\" right, and the Host that the server gets?"},
    {405, method_advice, method_advice},
    {406,
     "an authorization server that has no application/jwt may have the JWT in JSON: \"proxy_set_header Accept "
     "application/json;\"",
     "write the media type that the server has for it into \"proxy_set_header Accept\""},
    {415, "remove the \"proxy_set_header Content-Type\" that replaces application/x-www-form-urlencoded", nullptr},
    {421, name_advice, name_advice},
    {426, version_advice, version_advice},
    {429, busy_advice, busy_advice},
};

}  // namespace

const char *advice(const AsRequest &request) noexcept {
  if (request.captured.contact == Contact::cache) {
    return "the cache has kept this answer: is there a \"proxy_cache_valid\" for that status, or for \"any\"?";
  }
  if (request.captured.contact == Contact::server) {
    for (const Advice &row : advices) {
      if (row.status == request.captured.response.status) {
        return request.asked.is_about_token() ? row.about_token : row.about_keys;
      }
    }
  }
  return nullptr;
}

ngx_str_t status_in_log(const CapturedResponse &captured, u_char (&buffer)[longest_status]) noexcept {
  if (captured.response.explanation != nullptr && captured.contact != Contact::nginx) {
    return ngx_null_string;
  }
  const u_char *end = ngx_sprintf(buffer, ", its status %ui", static_cast<ngx_uint_t>(captured.response.status));
  return {static_cast<size_t>(end - buffer), buffer};
}

}  // namespace gateway
