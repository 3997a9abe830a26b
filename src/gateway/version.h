#pragma once

namespace gateway {

/// Which version this is.
extern const char version[];

}  // namespace gateway
