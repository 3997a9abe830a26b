#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "../checked_memory.h"

namespace jose {

/// Lets each allocation of a parser that accepts its input fail in turn.
/// @tparam Place where it allocates; its constructor takes how often.
/// @param accepts whether the parser accepts, given a Place.
template <typename Place = TestMemory, typename Accepts>
void expect_refusal_without_memory(Accepts accepts) {
  Place plenty;
  ASSERT_TRUE(accepts(plenty));
  ASSERT_NE(plenty.allocations(), 0U);
  for (std::size_t allowed = 0; allowed < plenty.allocations(); ++allowed) {
    Place memory(allowed);
    EXPECT_FALSE(accepts(memory)) << "with " << allowed << " allocations";
  }
}

}  // namespace jose
