#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

/// An http or https URI without query and fragment, normalised by RFC 3986 section 6.2: a machine of its own, which
/// works on whole segments where ours works on characters in place.
/// @return nothing where the text is no such URI.
std::optional<std::string> normalize_uri(std::string_view text);

}  // namespace fuzz
