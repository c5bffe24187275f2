// Duplicates among texts that were read: equal keys are exact ones; of the rest band keys propose, and the exact
// Jaccard similarity of word n-gram sets decides. Rules and twin: kernels/duplicates_reference.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corpus.h"
#include "core/scan.h"

namespace reasonmill {

// What was found in N texts, L of them long, wherever it is kept. Fields are those of core/corpus.h, Prints.
struct PrintsView {
  size_t count;
  const uint64_t* key;
  const uint64_t* quantities;
  const uint32_t* num_words;
  const uint64_t* band_keys;
  size_t num_long;
  const uint32_t* long_texts;
  const uint64_t* long_keys;
};

inline PrintsView view_of(const Prints& prints) {
  return {prints.num_words.size(),  prints.key.data(),        prints.quantities.data(), prints.num_words.data(),
          prints.band_keys.data(), prints.long_texts.size(), prints.long_texts.data(), prints.long_keys.data()};
}

struct DuplicateOptions {
  double threshold;        // least Jaccard similarity of a duplicate
  size_t ngram;            // words
  size_t bands;
  size_t max_bucket;       // kept texts of one bucket that are candidates for a text: the latest ones
  size_t max_candidates;   // of all its candidates, those compared: the ones met in the most buckets, then the first
  size_t threads;
  const uint32_t* table;
  const int64_t* rank;     // [N], place of each text in the order of claims to be kept; null: by content
  const uint8_t* active;   // [N], texts that take part; null: all
  const uint8_t* loose;    // [N], texts whose numbers may differ from each other's; null: none
  const uint8_t* settled;  // [N], texts that were kept before, and that claim before all others; null: none
  bool label_variants;     // whether to find, for each kept text, a kept one that is alike but for its numbers
};

struct Duplicates {
  std::vector<int64_t> kept_as;     // [N], the text that stands for each, itself if it is kept; -1: takes no part
  std::vector<double> jaccard;      // [N], similarity of the two
  std::vector<int64_t> variant_of;  // [N], an earlier kept text that is alike but for its numbers, or -1
};

Duplicates find_duplicates(const std::vector<TextView>& texts, const PrintsView& prints, const DuplicateOptions& options);

}  // namespace reasonmill
