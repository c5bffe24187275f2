// Best-fit of documents into rows: each goes to the fullest row that still has room for it (of equally full rows, to the
// one touched last), else opens a new row.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reasonmill {

// Writes the row and the first slot of each of `count` documents, -1 and 0 for one longer than `capacity`; returns the
// number of rows. Lengths are positive, `count` and `capacity` below 2^31.

// Longest first, equal lengths in input order. Time and memory linear in `count` up to a capacity of 8 * count.
int32_t best_fit_decreasing(const int64_t* lengths, size_t count, int64_t capacity, int32_t* row_of,
                            int32_t* offset_of);

// In the order of `order`, a permutation of the documents.
int32_t best_fit_in_order(const int64_t* lengths, const int64_t* order, size_t count, int64_t capacity,
                          int32_t* row_of, int32_t* offset_of);

}  // namespace reasonmill
