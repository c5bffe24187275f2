// Which bytes a text holds at all: what saves most texts the slower looks of the filters.
#pragma once

#include <cstdint>

#include "core/scan.h"

namespace reasonmill {

// Bits of kernels/hints.py.
inline constexpr uint8_t kControl = 1, kNonAscii = 2, kPipe = 4, kLess = 8, kTab = 16, kPlus = 32, kBackslash = 64,
                         kSlashOrWww = 128;

// Bits of the bytes that the text holds.
uint8_t hints_of(TextView text);

}  // namespace reasonmill
