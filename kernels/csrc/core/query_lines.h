// Blocks of lines of a file, read into queries one behind the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/query_row.h"

namespace reasonmill {

// A line that is left to others: it stands behind so many queries, is the so manieth of the block, counted from 0, and
// goes from `begin` to `end`, its newline included.
struct OddLine {
  int64_t queries, line, begin, end;
};

// Queries of a block. Query i has the bytes of a column from ends[i] to ends[i + 1].
struct QueryLines {
  QueryColumns columns;
  std::vector<int64_t> id_ends{0}, text_ends{0}, record_ends{0};
  std::vector<OddLine> odd;
};

// Reads every line; those of white space alone are none.
QueryLines read_query_lines(const uint8_t* bytes, size_t length, const QueryRules& rules);

// Whole lines at the begin of a block, and the bytes they take.
struct WholeLines {
  size_t bytes = 0, lines = 0;
};

// As many as end within `max_bytes`, up to `max_lines`; the first one even if it is longer.
WholeLines whole_lines(const uint8_t* bytes, size_t length, size_t max_lines, size_t max_bytes);

}  // namespace reasonmill
