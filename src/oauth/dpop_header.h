#pragma once

#include <string_view>

#include "../jose/jwk.h"
#include "../jose/memory.h"
#include "../jose/signature_algorithm.h"
#include "../jose/thumbprint.h"
#include "outcome.h"

namespace oauth {

/// What the header of a good proof says (RFC 9449 section 4.2).
struct DpopHeader {
  const jose::SignatureAlgorithm *algorithm = nullptr;
  jose::PublicKey key;  ///< that fits the algorithm
  char thumbprint[jose::thumbprint_size] = {};
};

/// Reads the header of a proof, or finds what it says where a proof of this process had the same one: a client sends it
/// with each request, and to read it and to import its key costs a part of a signature's verification. Some of the
/// latest are kept, not all.
/// @param encoded the first part of the proof.
/// @param memory for what has to be read.
/// @param header set where the outcome is active; it lives until the next call.
/// @return active; dpop_proof; or internal_error where there is no memory, or OpenSSL fails.
Verdict find_dpop_header(std::string_view encoded, jose::Memory &memory, const DpopHeader *&header) noexcept;

/// Frees all headers, at the end of a process.
void forget_dpop_headers() noexcept;

}  // namespace oauth
