#include "core/copy_rows.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace reasonmill {
namespace {

typedef uint32_t Lanes __attribute__((vector_size(32), aligned(4)));

constexpr size_t kLanes = sizeof(Lanes) / sizeof(uint32_t);
constexpr size_t kChunk = 64;  // tokens copied between fetches
constexpr int64_t kIgnored = -100;

inline void move(const uint32_t* from, uint32_t* to) {
  *reinterpret_cast<Lanes*>(to) = *reinterpret_cast<const Lanes*>(from);
}

// Labels of the positions before `count` tokens, at most eight, by the tokens' bits.
inline void label(const uint32_t* tokens, uint8_t bits, size_t count, int64_t* labels) {
  if (bits == 0xFF && count == 8) {  // prompts and responses are long runs: nearly every byte is all or nothing
    for (size_t i = 0; i < 8; ++i) labels[i] = tokens[i];
  } else if (bits == 0 && count == 8) {
    for (size_t i = 0; i < 8; ++i) labels[i] = kIgnored;
  } else {
    for (size_t i = 0; i < count; ++i) labels[i] = (bits >> i & 1) ? static_cast<int64_t>(tokens[i]) : kIgnored;
  }
}

}  // namespace

void copy_pieces(const Piece* pieces, size_t count, uint32_t* to) {
  FetchAhead ahead(pieces, count);
  for (const auto [tokens, length] : std::span(pieces, count)) {
    if (length < kLanes) {
      ahead.advance(length);
      std::memcpy(to, tokens, length * sizeof(uint32_t));
    } else {
      // From where stores are aligned, since one that crosses a cache line costs two; both ends are written twice, as
      // a copy of a length that is not known beforehand costs more.
      move(tokens, to);
      size_t at = -reinterpret_cast<uintptr_t>(to) / sizeof(uint32_t) % kLanes;
      ahead.advance(at);
      for (; at + kChunk <= length; at += kChunk) {
        ahead.advance(kChunk);
        for (size_t i = at; i < at + kChunk; i += kLanes) move(tokens + i, to + i);
      }
      ahead.advance(length - at);
      for (; at + kLanes <= length; at += kLanes) move(tokens + at, to + at);
      move(tokens + length - kLanes, to + length - kLanes);
    }
    to += length;
  }
}

void label_pieces(const Piece* pieces, const uint8_t* const* masks, size_t count, int64_t* __restrict input_ids,
                  int64_t* __restrict position_ids, int64_t* __restrict labels) {
  FetchAhead ahead(pieces, count);
  for (size_t number = 0; number < count; ++number) {
    const auto [tokens, length] = pieces[number];
    for (size_t at = 0; at < length; at += kChunk) {
      const size_t end = std::min(length, at + kChunk);
      ahead.advance(end - at);
      for (size_t i = at; i < end; ++i) input_ids[i] = tokens[i];
      for (size_t i = at; i < end; ++i) position_ids[i] = static_cast<int64_t>(i);
      for (size_t i = at; i < end; i += 8) {
        const size_t first = i == 0;  // nothing predicts the first token
        label(tokens + i + first, masks[number][i / 8] >> first, std::min<size_t>(8, end - i) - first, labels + i + first - 1);
      }
    }
    if (length > 0) labels[length - 1] = kIgnored;
    input_ids += length;
    position_ids += length;
    labels += length;
  }
}

}  // namespace reasonmill
