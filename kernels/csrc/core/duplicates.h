// Near-duplicates of a list of texts: band keys propose, the exact Jaccard similarity of word n-gram sets decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/scan.h"

namespace reasonmill {

struct DuplicateOptions {
  double threshold;         // least Jaccard similarity of a duplicate
  size_t ngram;             // words
  size_t bands;
  size_t rows;
  size_t num_perm;          // bands * rows, rounded up to kLanes; the length of a and b
  const uint32_t* a;        // aligned to 64 bytes
  const uint32_t* b;
  size_t max_bucket;        // kept texts of one bucket that are candidates for a text: the latest ones
  size_t max_candidates;    // of all its candidates, those compared: the ones met in the most buckets, then the first
  size_t threads;
  const uint32_t* table;
};

// For each text in `order` (a permutation of the texts): kept_as[text] is the text that stands for it, itself if it is
// kept, and jaccard[text] their similarity. Rules and twin: kernels/duplicates_reference.py.
void near_duplicates(const std::vector<TextView>& texts, const int64_t* order, const DuplicateOptions& options,
                     int64_t* kept_as, double* jaccard);

}  // namespace reasonmill
