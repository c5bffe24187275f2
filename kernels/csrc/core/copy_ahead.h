// Copies of pieces that lie apart.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reasonmill {

// Copies `length` tokens, and meanwhile fetches the beginning of the piece that is copied next into the cache: a copy
// of a few kilobytes is over before the processor sees by itself that memory is read in order.
void copy_ahead(const uint32_t* from, uint32_t* to, size_t length, const uint32_t* next, size_t next_length);

}  // namespace reasonmill
