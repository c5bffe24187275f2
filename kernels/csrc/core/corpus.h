// Many texts, each read once: what exact and near deduplication, decontamination and the filters ask of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/minhash.h"
#include "core/ngram_index.h"
#include "core/scan.h"

namespace reasonmill {

struct Banding {
  size_t ngram;  // words
  size_t bands;
  size_t rows;
  const Permutations* permutations;  // of bands * rows slots
};

// Of N texts, L of them long. No slot of a signature is kept: 25 band keys say enough, for what they propose is
// compared exactly. A band key of 0 is none.
struct Prints {
  std::vector<uint64_t> key;         // [N, 2], of the token sequence, or of the bytes where there is no token
  std::vector<uint64_t> quantities;  // [N], hash of the multiset of numbers and signs
  std::vector<uint32_t> num_words;   // [N]
  std::vector<uint64_t> band_keys;   // [bands, N], of MinHash; none for texts too short or too long for it
  std::vector<uint32_t> long_texts;  // [L], ascending: texts of more than kLongText n-grams
  std::vector<uint64_t> long_keys;   // [bands, L], their keys by one-permutation hashing
};

// Reads the texts on several threads. No `banding` makes no band keys, no `index` finds no matches.
Prints read_corpus(const std::vector<TextView>& texts, const uint32_t* table, size_t threads, const Banding* banding,
                   const NgramIndex* index, size_t least_tokens, Matches* matches);

}  // namespace reasonmill
