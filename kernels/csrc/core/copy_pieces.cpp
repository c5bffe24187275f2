#include "core/copy_pieces.h"

#include <algorithm>
#include <cstring>

namespace reasonmill {
namespace {

typedef uint32_t Lanes __attribute__((vector_size(32), aligned(4)));

constexpr size_t kLanes = sizeof(Lanes) / sizeof(uint32_t);
constexpr size_t kLine = 64;   // bytes of a cache line
constexpr size_t kChunk = 64;  // tokens copied between fetches

// Tokens fetched ahead. Zen 4 with busy neighbours, rows of pieces of mean 3785 tokens out of 128 MiB, of the rate of
// memcpy on one piece: 0.64 with none, 0.79 with 1024, 0.90 with 2048, 0.91 with 4096, 0.87 with 8192, 0.83 with 16384;
// fetched into the first-level cache 0.57.
constexpr size_t kAhead = 4096;

// Fetches the pieces' cache lines in order.
class Fetcher {
 public:
  Fetcher(const Piece* piece, const Piece* end) : piece_(piece), end_(end) {}

  void fetch(size_t tokens) {
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
  const Piece* piece_;
  const Piece* const end_;
  size_t at_ = 0;
};

}  // namespace

void copy_pieces(const Piece* pieces, size_t count, uint32_t* to) {
  Fetcher ahead(pieces, pieces + count);
  ahead.fetch(kAhead);
  for (const Piece* piece = pieces; piece != pieces + count; ++piece) {
    size_t at = 0;
    for (; at + kChunk <= piece->length; at += kChunk) {
      ahead.fetch(kChunk);
      for (size_t i = at; i < at + kChunk; i += kLanes) {
        *reinterpret_cast<Lanes*>(to + i) = *reinterpret_cast<const Lanes*>(piece->tokens + i);
      }
    }
    ahead.fetch(piece->length - at);
    std::memcpy(to + at, piece->tokens + at, (piece->length - at) * sizeof(uint32_t));
    to += piece->length;
  }
}

}  // namespace reasonmill
