// The vector loops of the text kernels, compiled once for each instruction set; the best that the machine has is taken.
// All give the same numbers: everything is integer arithmetic, and the sets differ in speed alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reasonmill {

// Bytes that a loop may read or write beyond the end of what it was given. Buffers are padded by as much.
inline constexpr size_t kPadding = 128;

// One bit for each byte of a folded text (core/fold.h), 64 to the block.
struct ByteKinds {
  uint64_t* letters;  // a to z, and every byte of a character outside ASCII
  uint64_t* digits;
  uint64_t* signs;   // + - * / = < > ^ % | ! [ ]
  uint64_t* joints;  // . and ,
};

struct Isa {
  const char* name;
  // Copies ASCII with its letters in lower case up to the first other byte; returns how many bytes that was.
  size_t (*fold_ascii)(const uint8_t* text, size_t length, uint8_t* folded);
  void (*classify)(const uint8_t* folded, size_t num_blocks, const ByteKinds& kinds);
  // Places of the bits that are set, ascending; returns their number. May write kPadding entries too many.
  size_t (*positions)(const uint64_t* bits, size_t num_blocks, uint32_t* places);
  // hash_token (core/hash.h) of each [starts[i], ends[i]).
  void (*hash_tokens)(const uint8_t* folded, const uint32_t* starts, const uint32_t* ends, size_t count,
                      uint64_t* hashes);
  // The two sums that the 128-bit key of a token sequence is made of.
  void (*sum_sequence)(const uint64_t* hashes, size_t count, uint64_t* sums);
  // grams[i] = hash of hashes[i ... i + n), for i < count.
  void (*roll)(const uint64_t* hashes, size_t n, size_t count, uint64_t* grams);
  // slots[p] = min over grams of a[p] * fmix32(gram >> 32) + b[p]; `mixed` is scratch. core/minhash.h has the rules.
  void (*minima)(const uint64_t* grams, size_t count, const uint32_t* a, const uint32_t* b, size_t num_perm,
                 uint32_t* mixed, uint32_t* slots);
  // keys[band] = hash of band and slots[band], slots[bands + band], … ; bands are strided, so that they go side by side.
  void (*band_keys)(const uint32_t* slots, size_t bands, size_t rows, uint64_t* keys);
  // Places of the hashes that may be in a filter of mask + 1 words, ascending; returns their number. May write one more.
  size_t (*probe)(const uint64_t* hashes, size_t count, const uint64_t* filter, size_t mask, uint32_t* places);
};

// The set in use.
const Isa& isa();

// Sets that this machine has, the best first.
std::vector<const Isa*> known_isas();

// Takes the set of that name from now on; false where the machine has none of that name. For tests and benches.
bool use_isa(const char* name);

// Defined in isa_*.cpp; null where the compiler does not make that set.
const Isa* isa_avx512();
const Isa* isa_avx2();
const Isa* isa_portable();

}  // namespace reasonmill
