#include "core/copy_ahead.h"

#include <algorithm>
#include <cstring>

namespace reasonmill {
namespace {

typedef uint32_t Lanes __attribute__((vector_size(32), aligned(4)));

constexpr size_t kLanes = sizeof(Lanes) / sizeof(uint32_t);
constexpr size_t kChunk = 64;  // tokens
constexpr size_t kLine = 16;   // tokens of a cache line

// Tokens fetched at most. Zen 5 with busy neighbours, pieces of mean 3785 tokens out of 128 MiB, of the rate of memcpy
// on one piece: 0.69 without, 0.67 with 128 tokens at once, 0.71 with 1024 in step with the copy, 0.80 with 2048, 0.86
// with 4096, 0.80 with 8192.
constexpr size_t kFetched = 4096;

}  // namespace

void copy_ahead(const uint32_t* from, uint32_t* to, size_t length, const uint32_t* next, size_t next_length) {
  const size_t wanted = std::min(next_length, kFetched);
  const size_t chunks = std::max<size_t>(1, length / kChunk);
  const size_t step = std::max(kChunk, (wanted / chunks + kLine) / kLine * kLine);
  size_t fetched = 0;
  size_t at = 0;
  for (; at + kChunk <= length; at += kChunk) {
    for (const size_t end = std::min(wanted, fetched + step); fetched < end; fetched += kLine) {
      __builtin_prefetch(next + fetched, 0, 2);
    }
    for (size_t i = at; i < at + kChunk; i += kLanes) {
      *reinterpret_cast<Lanes*>(to + i) = *reinterpret_cast<const Lanes*>(from + i);
    }
  }
  std::memcpy(to + at, from + at, (length - at) * sizeof(uint32_t));
}

}  // namespace reasonmill
