// Exact Jaccard similarity of the word n-gram sets of two texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/scan.h"

namespace reasonmill {

// Compares a text with others. The scratch of one thread; both texts have as many words as an n-gram at least.
class Likeness {
 public:
  Likeness(const std::vector<TextView>& texts, size_t ngram, const uint32_t* table)
      : texts_(texts), ngram_(ngram), table_(table) {}

  double of(uint32_t text, uint32_t other);

 private:
  struct Slot {
    uint64_t gram;
    uint64_t mark;  // 4 * number of the comparison, plus 1 if the text has it and 2 if the other has
  };

  Hashes read(uint32_t text, Buffer<uint64_t>* grams);

  // Enters grams of one side; returns how many were new to it, and counts those that the other side had.
  size_t enter(Hashes grams, uint64_t side, size_t* common);

  const std::vector<TextView>& texts_;
  size_t ngram_;
  const uint32_t* table_;
  Scan scan_;
  Buffer<uint64_t> grams_;
  Buffer<uint64_t> other_grams_;
  uint32_t text_ = UINT32_MAX;  // whose grams_ these are
  Hashes own_;
  std::vector<Slot> slots_;
  uint64_t comparison_ = 0;
};

}  // namespace reasonmill
