// One-permutation hashing (P. Li, A. Owen, C.-H. Zhang, NIPS 2012) with optimal densification (A. Shrivastava, ICML
// 2017): one pass for all slots, where MinHash makes one for each. Twin: kernels/minhash_reference.py.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/buffer.h"
#include "core/hash.h"
#include "core/scan.h"

namespace reasonmill {

// Texts of more n-grams are hashed this way. AVX-512, 125 slots, busy core, us: 9,000 n-grams 48 by MinHash, 18 by this;
// 30,000: 134, 37. At 4,200, where both kinds of keys are made, 18 and 22.
inline constexpr size_t kLongText = 4096;

// The least high half of the grams of each bin, where the low half chooses the bin; an empty bin takes the value of
// another one that its number chooses. All ones where there is no gram. Returns the sum of the minima before bins were
// filled from others, 2^32 for each empty one.
inline uint64_t one_permutation(Hashes grams, size_t bins, Buffer<uint32_t>* scratch, uint32_t* slots) {
  uint32_t* least = scratch->at_least(bins + kPadding);
  std::fill_n(least, bins, UINT32_MAX);
  for (size_t i = 0; i < grams.size; ++i) {
    const uint64_t gram = grams.data[i];
    uint32_t& slot = least[(gram & 0xFFFF'FFFFu) * bins >> 32];
    slot = std::min(slot, static_cast<uint32_t>(gram >> 32));
  }
  uint64_t sum = 0;
  size_t filled = 0;
  for (size_t bin = 0; bin < bins; ++bin) {
    sum += least[bin] == UINT32_MAX ? uint64_t{1} << 32 : least[bin];
    filled += least[bin] != UINT32_MAX;
  }
  for (size_t bin = 0; bin < bins; ++bin) {
    size_t from = bin;
    for (uint32_t tried = 1; filled > 0 && least[from] == UINT32_MAX; ++tried) {
      from = uint64_t{mix32(static_cast<uint32_t>(bin) * 0x9E3779B9u + tried)} * bins >> 32;
    }
    slots[bin] = least[from];
  }
  return sum;
}

// Whether so many distinct n-grams, estimated from the sum, may still be like a text of kLongText of them: such a text
// gets MinHash keys as well, so that the two kinds meet. Twice as many are asked for, five standard errors of the
// estimate above what a similarity of 0.8 allows.
inline bool may_be_like_short(uint64_t sum, size_t bins) {
  return sum * (2 * kLongText + bins) > (uint64_t{bins} * bins) << 32;
}

}  // namespace reasonmill
