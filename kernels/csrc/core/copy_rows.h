// Rows of documents that lie apart, end to end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/fetch_ahead.h"

namespace reasonmill {

// Copies the tokens of the pieces.
void copy_pieces(const Piece* pieces, size_t count, uint32_t* to);

// Writes token ids, positions that begin anew in each piece, and as labels the next token of the same piece where its
// bit in the piece's mask (low bit first) is set, else -100.
void label_pieces(const Piece* pieces, const uint8_t* const* masks, size_t count, int64_t* input_ids,
                  int64_t* position_ids, int64_t* labels);

}  // namespace reasonmill
