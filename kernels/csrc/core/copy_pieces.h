// Copies of pieces that lie apart.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reasonmill {

struct Piece {
  const uint32_t* tokens = nullptr;
  size_t length = 0;
};

// Copies the pieces end to end, and meanwhile fetches what is copied next into the cache, across their ends: a piece of
// a few kilobytes is over before the processor sees by itself that memory is read in order.
void copy_pieces(const Piece* pieces, size_t count, uint32_t* to);

}  // namespace reasonmill
