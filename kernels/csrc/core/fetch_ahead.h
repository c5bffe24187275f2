// Pieces of tokens that lie apart, fetched into the cache before they are read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace reasonmill {

struct Piece {
  const uint32_t* tokens = nullptr;
  size_t length = 0;
};

// Fetches the cache lines of pieces in order and across their ends: a piece of a few kilobytes is read before the
// processor sees by itself that memory is read in order.
class FetchAhead {
 public:
  FetchAhead(const Piece* first, size_t count) : piece_(first), end_(first + count) { advance(kAhead); }

  // Tells that so many tokens more are about to be read.
  void advance(size_t tokens) {
    while (tokens > 0 && piece_ != end_) {
      const size_t part = std::min(tokens, piece_->length - at_);
      const auto* from = reinterpret_cast<const char*>(piece_->tokens + at_);
      const char* const stop = from + part * sizeof(uint32_t);
      for (from -= reinterpret_cast<uintptr_t>(from) % kLine; from < stop; from += kLine) __builtin_prefetch(from, 0, 2);
      tokens -= part;
      at_ += part;
      if (at_ == piece_->length) {
        ++piece_;
        at_ = 0;
      }
    }
  }

 private:
  static constexpr size_t kLine = 64;  // bytes

  // Tokens. Zen 4 with busy neighbours, rows of pieces of mean 3785 tokens out of 128 MiB, of the rate of memcpy on one
  // piece: 0.75 with 1024, 0.80 to 0.82 with 1536, 2048, 3072 and 4096, 0.75 with 8192, 0.73 with 16384; fetched into
  // the first-level cache 0.57, none fetched 0.64.
  static constexpr size_t kAhead = 2048;

  const Piece* piece_;
  const Piece* const end_;
  size_t at_ = 0;
};

}  // namespace reasonmill
