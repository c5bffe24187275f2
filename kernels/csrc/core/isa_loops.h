// The loops of core/isa.h that read alike for every instruction set; each isa_*.cpp includes this file under its own
// target, after the bodies that differ: fold_ascii, classify, positions. Everything is internal to that file, for a
// function that leaves it could be linked in place of its portable namesake.

// GCC lowers wider vectors than the machine has badly, so they are as wide as its registers (kWidth bytes).
typedef uint64_t Words __attribute__((vector_size(kWidth), aligned(8)));  // at any address
typedef uint32_t Slots __attribute__((vector_size(kWidth), aligned(4)));
typedef uint32_t Halves __attribute__((vector_size(kWidth / 2), aligned(4)));  // one for each of Words
constexpr size_t kWords = kWidth / 8;
constexpr size_t kSlots = kWidth / 4;

inline Words words_at(const uint64_t* p) { return *reinterpret_cast<const Words*>(p); }

inline Words mix(Words h) {
  h ^= h >> 33;
  h *= 0xFF51AFD7ED558CCDu;
  h ^= h >> 33;
  h *= 0xC4CEB9FE1A85EC53u;
  return h ^ (h >> 33);
}

// hash_bytes of one block of 16 bytes.
inline Words hash_short(Words low, Words high) {
  Words h = (low ^ kWordSeed) * kChunk;
  h ^= h >> 32;
  h = (h ^ high) * kSequence;
  h ^= h >> 29;
  h *= kGram;
  return h ^ (h >> 32);
}

typedef uint8_t Bytes16 __attribute__((vector_size(16), aligned(1)));

struct FirstBytes {
  alignas(64) uint8_t mask[17][16];
};
constexpr FirstBytes first_bytes() {
  FirstBytes first{};
  for (size_t length = 0; length <= 16; ++length) {
    for (size_t i = 0; i < length; ++i) first.mask[length][i] = 0xFF;
  }
  return first;
}
constexpr FirstBytes kFirst = first_bytes();

inline Bytes16 up_to_16(const uint8_t* bytes, size_t length) {
  return *reinterpret_cast<const Bytes16*>(bytes) & *reinterpret_cast<const Bytes16*>(kFirst.mask[length]);
}

uint64_t hash_long(const uint8_t* bytes, size_t length) {
  uint64_t h = kWordSeed;
  for (size_t at = 0; at < length; at += 16) {
    const Bytes16 block = up_to_16(bytes + at, length - at < 16 ? length - at : 16);
    uint64_t words[2];
    memcpy(words, &block, 16);
    h = absorb(h, words[0], words[1]);
  }
  return finish_hash(h);
}

void hash_tokens(const uint8_t* folded, const uint32_t* starts, const uint32_t* ends, size_t count,
                 uint64_t* hashes) {
  constexpr size_t kBatch = 64;
  alignas(64) uint64_t blocks[2 * kBatch] = {};
  Words even = {}, odd = {};
  for (size_t k = 0; k < kWords; ++k) {
    even[k] = 2 * k;
    odd[k] = 2 * k + 1;
  }
  for (size_t base = 0; base < count; base += kBatch) {
    const size_t batch = count - base < kBatch ? count - base : kBatch;
    uint32_t longest = 0;
    for (size_t i = 0; i < batch; ++i) {
      const uint32_t start = starts[base + i];
      const uint32_t length = ends[base + i] - start;
      longest = length > longest ? length : longest;
      *reinterpret_cast<Bytes16*>(blocks + 2 * i) = up_to_16(folded + start, length < 16 ? length : 16);
    }
    for (size_t i = 0; i < batch; i += kWords) {
      const Words first = words_at(blocks + 2 * i);
      const Words second = words_at(blocks + 2 * i + kWords);
      const Words low = __builtin_shuffle(first, second, even);
      *reinterpret_cast<Words*>(hashes + base + i) = hash_short(low, __builtin_shuffle(first, second, odd));
    }
    if (longest <= 16) continue;
    for (size_t i = base; i < base + batch; ++i) {
      if (ends[i] - starts[i] > 16) hashes[i] = hash_long(folded + starts[i], ends[i] - starts[i]);
    }
  }
}

// sums[k] = sum of hashes[i] * m, with m the i-th odd multiplier of a sequence of its own.
void sum_sequence(const uint64_t* hashes, size_t count, uint64_t* sums) {
  Words first = {}, second = {}, at = {};
  for (size_t k = 0; k < kWords; ++k) at[k] = k + 1;
  size_t i = 0;
  for (; i + kWords <= count; i += kWords, at += kWords) {
    const Words h = words_at(hashes + i);
    const Words m = at * kWordSeed;
    first += h * ((m ^ (m >> 32)) | 1);
    second += (h ^ (h >> 32)) * ((m ^ (m >> 29)) * kLength | 1);
  }
  sums[0] = sums[1] = 0;
  for (size_t k = 0; k < kWords; ++k) {
    sums[0] += first[k];
    sums[1] += second[k];
  }
  for (; i < count; ++i) {
    const uint64_t h = hashes[i];
    const uint64_t m = (i + 1) * kWordSeed;
    sums[0] += h * ((m ^ (m >> 32)) | 1);
    sums[1] += (h ^ (h >> 32)) * ((m ^ (m >> 29)) * kLength | 1);
  }
}

template <size_t N>
void roll_fixed(const uint64_t* hashes, size_t count, uint64_t* grams) {
  for (size_t i = 0; i < count; i += kWords) {
    Words h = Words{} + N * kLength;
    for (size_t k = 0; k < N; ++k) h = h * kGram + words_at(hashes + i + k);
    *reinterpret_cast<Words*>(grams + i) = mix(h);
  }
}

void roll(const uint64_t* hashes, size_t n, size_t count, uint64_t* grams) {
  if (n == 5) return roll_fixed<5>(hashes, count, grams);
  if (n == 3) return roll_fixed<3>(hashes, count, grams);
  for (size_t i = 0; i < count; ++i) {
    uint64_t h = n * kLength;
    for (size_t k = 0; k < n; ++k) h = h * kGram + hashes[i + k];
    grams[i] = mix64(h);
  }
}

// K vectors of permutations at a time, so that their minima stay in registers.
template <size_t K>
inline void least_of(const uint32_t* mixed, size_t count, const uint32_t* a, const uint32_t* b, uint32_t* slots) {
  Slots factor[K], offset[K], least[K];
  for (size_t k = 0; k < K; ++k) {
    factor[k] = reinterpret_cast<const Slots*>(a)[k];
    offset[k] = reinterpret_cast<const Slots*>(b)[k];
    least[k] = Slots{} - 1;
  }
  for (size_t i = 0; i < count; ++i) {
    const Slots hash = Slots{} + mixed[i];
    for (size_t k = 0; k < K; ++k) {
      const Slots value = factor[k] * hash + offset[k];
      least[k] = value < least[k] ? value : least[k];
    }
  }
  for (size_t k = 0; k < K; ++k) reinterpret_cast<Slots*>(slots)[k] = least[k];
}

void minima(const uint64_t* grams, size_t count, const uint32_t* a, const uint32_t* b, size_t num_perm,
            uint32_t* mixed, uint32_t* slots) {
  for (size_t i = 0; i < count; i += kWords) {
    Halves h = __builtin_convertvector(words_at(grams + i) >> 32, Halves);
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    *reinterpret_cast<Halves*>(mixed + i) = h ^ (h >> 16);
  }
  size_t p = 0;
  for (; p + kSlots * kAtOnce <= num_perm; p += kSlots * kAtOnce) {
    least_of<kAtOnce>(mixed, count, a + p, b + p, slots + p);
  }
  for (; p < num_perm; p += kSlots) least_of<1>(mixed, count, a + p, b + p, slots + p);
}

void band_keys(const uint32_t* slots, size_t bands, size_t rows, uint64_t* keys) {
  size_t band = 0;
  for (; band + kWords <= bands; band += kWords) {
    Words h = {};
    for (size_t k = 0; k < kWords; ++k) h[k] = kWordSeed + (band + k) * kLength;
    for (size_t row = 0; row < rows; ++row) {
      const auto slot = *reinterpret_cast<const Halves*>(slots + row * bands + band);
      h = (h ^ __builtin_convertvector(slot, Words)) * kChunk;
      h ^= h >> 29;
    }
    *reinterpret_cast<Words*>(keys + band) = mix(h);
  }
  for (; band < bands; ++band) {
    uint64_t h = kWordSeed + band * kLength;
    for (size_t row = 0; row < rows; ++row) {
      h = (h ^ slots[row * bands + band]) * kChunk;
      h ^= h >> 29;
    }
    keys[band] = mix64(h);
  }
}

[[maybe_unused]] size_t probe_each(const uint64_t* hashes, size_t count, const uint64_t* filter, size_t mask, uint32_t* places) {
  size_t hits = 0;
  for (size_t i = 0; i < count; ++i) {  // without a branch, so that many words are on their way
    const uint64_t hash = hashes[i];
    const uint64_t bits = uint64_t{1} << (hash & 63) | uint64_t{1} << (hash >> 6 & 63);
    places[hits] = static_cast<uint32_t>(i);
    hits += (filter[hash >> 40 & mask] & bits) == bits;
  }
  return hits;
}

constexpr Isa made(const char* name, decltype(Isa::probe) probe) {
  return {name, fold_ascii, classify, positions, hash_tokens, sum_sequence, roll, minima, band_keys, probe};
}
