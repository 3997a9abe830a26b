#include "resource_metadata.h"

#include <algorithm>

#include "../jose/json_writer.h"

namespace oauth {
namespace {

/// Puts a member with those items of a list that are to be kept, each once; nothing where there is none.
template <typename Keep>
void put_list(jose::Writer &writer, std::string_view name, jose::Strings list, Keep keep) noexcept {
  bool is_empty = true;
  for (const std::string_view &item : list) {
    const bool named_before = std::find(list.begin(), &item, item) != &item;
    if (named_before || !keep(item)) {
      continue;
    }
    if (is_empty) {
      writer.put(',');
      jose::put_json_string(writer, name);
      writer.put(":[");
    } else {
      writer.put(',');
    }
    is_empty = false;
    jose::put_json_string(writer, item);
  }
  writer.put(is_empty ? "" : "]");
}

bool any_item(std::string_view /*item*/) noexcept {
  return true;
}

bool stands_for_many(std::string_view scope) noexcept {
  return !scope.empty() && scope.back() == '*';
}

}  // namespace

bool is_issuer_identifier(std::string_view text) noexcept {
  HttpUrl url;
  return parse_http_url(text, url) && url.query.empty();
}

void put_resource_metadata(jose::Writer &writer, const ResourceMetadata &metadata) noexcept {
  const jose::Strings &scopes = metadata.scopes;
  writer.put(R"({"resource":)");
  jose::put_json_string(writer, metadata.resource);
  put_list(writer, "authorization_servers", metadata.authorization_servers, is_issuer_identifier);
  if (std::none_of(scopes.begin(), scopes.end(), stands_for_many)) {
    put_list(writer, "scopes_supported", scopes, any_item);
  }
  if (metadata.accepts_header) {
    writer.put(R"(,"bearer_methods_supported":["header"])");
  }
  put_list(writer, "dpop_signing_alg_values_supported", metadata.dpop_algorithms, any_item);
  writer.put(metadata.requires_dpop ? R"(,"dpop_bound_access_tokens_required":true)" : "");
  writer.put(metadata.accepts_certificates ? R"(,"tls_client_certificate_bound_access_tokens":true)" : "");
  writer.put("}\n");
}

void put_resource_metadata_url(jose::Writer &writer, const HttpUrl &resource) noexcept {
  writer.put(resource.origin);
  writer.put("/.well-known/oauth-protected-resource");
  writer.put(resource.path == "/" ? "" : resource.path);
  writer.put(resource.query);
}

}  // namespace oauth
