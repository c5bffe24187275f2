// XXH3 with 128 bits of the xxHash specification (github.com/Cyan4973/xxHash), seed 0: ids of content are made of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reasonmill {

struct Hash128 {
  uint64_t high;
  uint64_t low;
};

inline constexpr size_t kLeastHashed = 17;  // bytes: shorter inputs have formulas of their own, and no id is made of one

// Of at least kLeastHashed bytes.
Hash128 xxh3_128(const uint8_t* bytes, size_t length);

}  // namespace reasonmill
