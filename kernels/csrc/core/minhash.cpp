#include "core/minhash.h"

#include "core/clones.h"
#include "core/hash.h"

namespace reasonmill {
namespace {

typedef uint32_t Lanes __attribute__((vector_size(kLanes * sizeof(uint32_t))));

// K * kLanes permutations at a time, so that their minima stay in registers.
template <size_t K>
[[gnu::always_inline]] inline void minima(const uint32_t* mixed, size_t count, const uint32_t* a, const uint32_t* b,
                                          uint32_t* slots) {
  Lanes factor[K];
  Lanes offset[K];
  Lanes least[K];
  for (size_t k = 0; k < K; ++k) {
    factor[k] = reinterpret_cast<const Lanes*>(a)[k];
    offset[k] = reinterpret_cast<const Lanes*>(b)[k];
    least[k] = Lanes{} - 1;
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < K; ++k) {
      const Lanes value = factor[k] * mixed[i] + offset[k];
      least[k] = value < least[k] ? value : least[k];
    }
  }
  for (size_t k = 0; k < K; ++k) reinterpret_cast<Lanes*>(slots)[k] = least[k];
}

REASONMILL_CLONES
void all_minima(const uint32_t* mixed, size_t count, const uint32_t* a, const uint32_t* b, size_t num_perm,
                uint32_t* slots) {
  size_t p = 0;
  for (; p + 4 * kLanes <= num_perm; p += 4 * kLanes) minima<4>(mixed, count, a + p, b + p, slots + p);
  for (; p < num_perm; p += kLanes) minima<1>(mixed, count, a + p, b + p, slots + p);
}

}  // namespace

void minhash(const std::vector<uint64_t>& grams, const uint32_t* a, const uint32_t* b, size_t num_perm,
             std::vector<uint32_t>* mixed, uint32_t* slots) {
  mixed->resize(grams.size());
  for (size_t i = 0; i < grams.size(); ++i) (*mixed)[i] = mix32(static_cast<uint32_t>(grams[i] >> 32));
  all_minima(mixed->data(), mixed->size(), a, b, num_perm, slots);
}

void band_keys(const uint32_t* slots, size_t bands, size_t rows, uint64_t* keys) {
  for (size_t band = 0; band < bands; ++band) {
    uint64_t h = kWordSeed + band * kLength;
    for (size_t row = 0; row < rows; ++row) {
      h = (h ^ *slots++) * kChunk;
      h ^= h >> 29;
    }
    keys[band] = mix64(h);
  }
}

}  // namespace reasonmill
