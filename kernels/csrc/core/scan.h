// One walk over a text: words, tokens, the multiset of its numbers and signs, and its 128-bit key.
// kernels/tokens.py states the rules and is the twin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reasonmill {

struct TextView {
  const uint8_t* bytes;
  size_t length;
};

// What a walk finds; kept by each thread and reused, so that a text costs no allocation.
struct Scan {
  std::vector<uint64_t> words;   // hashes of the words, in order
  std::vector<uint64_t> tokens;  // the same with the mathematical signs between them
  uint64_t quantities = 0;       // hash of the multiset of numbers and signs
  uint64_t key[2] = {0, 0};      // of the token sequence, or of the bytes where there is no token
  std::vector<uint8_t> folded;   // scratch: the word being read
};

void scan_text(TextView text, const uint32_t* table, Scan* scan);

// hashes.size() - n + 1 hashes of n consecutive items (none if there are fewer than n), in order.
void grams_of(const std::vector<uint64_t>& hashes, size_t n, std::vector<uint64_t>* grams);

}  // namespace reasonmill
