// MinHash of word n-grams: datasketch 2.0's affine32 scheme, so that its sketches and ours are the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reasonmill {

// slots[p] = min over the grams of a[p] * fmix32(gram >> 32) + b[p]; all ones where there is no gram.
// num_perm is a multiple of kLanes; a, b and slots are aligned to 64 bytes.
inline constexpr size_t kLanes = 16;
void minhash(const std::vector<uint64_t>& grams, const uint32_t* a, const uint32_t* b, size_t num_perm,
             std::vector<uint32_t>* mixed, uint32_t* slots);

// keys[band] = hash of (band, slots[band * rows ... (band + 1) * rows]).
void band_keys(const uint32_t* slots, size_t bands, size_t rows, uint64_t* keys);

}  // namespace reasonmill
