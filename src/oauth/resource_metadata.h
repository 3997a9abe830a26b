#pragma once

#include <string_view>

#include "../jose/strings.h"
#include "../jose/writer.h"
#include "http_url.h"

namespace oauth {

/// What a client is told of a protected resource (RFC 9728 section 2). Members whose list would be empty are left out,
/// as section 3.2 asks for.
struct ResourceMetadata {
  std::string_view resource;            ///< its identifier
  jose::Strings authorization_servers;  ///< those that are no issuer identifiers are left out
  jose::Strings scopes;                 ///< that are required; left out where one stands for many, since it is no scope
  bool accepts_header = true;           ///< a token in `Authorization`
  jose::Strings dpop_algorithms;        ///< that may sign a DPoP proof; empty: none is accepted
  bool requires_dpop = false;           ///< no token is accepted without a proof
  bool accepts_certificates = false;    ///< tokens that are bound to a certificate (RFC 8705 section 3)
};

/// @return whether the text is an issuer identifier: an http or https URL without query and fragment (RFC 8414 section
///   2).
bool is_issuer_identifier(std::string_view text) noexcept;

/// Puts the metadata document, a JSON object.
void put_resource_metadata(jose::Writer &writer, const ResourceMetadata &metadata) noexcept;

/// Puts the URL where a client looks for the metadata of a resource: its identifier with the well-known path before its
/// own (RFC 9728 section 3.1).
void put_resource_metadata_url(jose::Writer &writer, const HttpUrl &resource) noexcept;

}  // namespace oauth
