// What the filters of engine/curate/filters.py may find in a text, said without them. A bit that is not set is a promise
// that the filter of this name lets the text pass; one that is set says that the filter has to be asked.
#pragma once

#include <cstdint>

#include "core/scan.h"

namespace reasonmill {

// Bits of kernels/suspects.py.
inline constexpr uint8_t kCorrupted = 1, kIncomplete = 2, kUrl = 4, kTable = 8;

uint8_t suspects_of(TextView text);

}  // namespace reasonmill
