#pragma once

#include "../../oauth/outcome.h"
#include "../subrequest/as_request.h"

namespace gateway {

/// What a step of the access check comes to: a verdict, or an answer of the authorization server that must come first.
struct AccessStep {
  oauth::Verdict verdict;
  AsRequest *awaited = nullptr;  ///< where it is set, the verdict says nothing yet

  /// @return whether nothing speaks against the next step.
  bool goes_on() const noexcept { return awaited == nullptr && verdict.outcome == oauth::Outcome::active; }
};

inline AccessStep go_on() noexcept {
  return {{oauth::Outcome::active}};
}

inline AccessStep await(AsRequest &request) noexcept {
  return {{}, &request};
}

inline AccessStep no_memory() noexcept {
  return {{oauth::Outcome::internal_error, "no memory, or no more subrequests"}};
}

}  // namespace gateway
