// MinHash of word n-grams: datasketch 2.0's affine32 scheme, so that its sketches and ours are the same numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/buffer.h"
#include "core/isa.h"
#include "core/scan.h"

namespace reasonmill {

inline constexpr size_t kLanes = 16;

// The affine permutations, padded to whole vectors.
struct Permutations {
  size_t padded;
  Buffer<uint32_t> a;
  Buffer<uint32_t> b;

  Permutations(const uint32_t* factors, const uint32_t* offsets, size_t count)
      : padded((count + kLanes - 1) / kLanes * kLanes), a(padded), b(padded) {
    std::fill_n(a.data(), padded, 1);
    std::fill_n(b.data(), padded, 0);
    std::copy_n(factors, count, a.data());
    std::copy_n(offsets, count, b.data());
  }
};

// slots[p] = min over the grams of a[p] * fmix32(gram >> 32) + b[p]; all ones where there is no gram.
// `slots` has room for permutations.padded.
inline void minhash(Hashes grams, const Permutations& permutations, Buffer<uint32_t>* mixed, uint32_t* slots) {
  isa().minima(grams.data, grams.size, permutations.a.data(), permutations.b.data(), permutations.padded,
               mixed->at_least(grams.size + kPadding), slots);
}

}  // namespace reasonmill
