// One walk over a text: words, tokens, the multiset of its numbers and signs, and its 128-bit key.
// kernels/tokens.py states the rules and is the twin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "core/isa.h"

namespace reasonmill {

struct TextView {
  const uint8_t* bytes;
  size_t length;
};

inline constexpr size_t kMaxText = size_t{1} << 29;  // bytes; folded, such a text still has 32-bit places

// Hashes in order; kPadding more may be read.
struct Hashes {
  const uint64_t* data = nullptr;
  size_t size = 0;
};

// What a walk finds; kept by each thread and reused, so that a text costs no allocation.
class Scan {
 public:
  void read(TextView text, const uint32_t* table);

  Hashes words;                // of the words
  Hashes tokens;               // the same with the mathematical signs between them
  uint64_t quantities = 0;     // hash of the multiset of numbers and signs
  uint64_t key[2] = {0, 0};    // of the token sequence, or of the bytes where there is no token

 private:
  struct Joints {
    size_t last = SIZE_MAX;  // place of the last joint inside a number
    size_t commas = 0;
    bool has_point = false;
  };

  void reserve(size_t text_length);
  void find_edges(size_t num_blocks);
  uint64_t signs_of(size_t block);
  uint64_t joined(size_t block, uint64_t candidates, Joints* joints);
  void hash_tokens(size_t count);
  size_t find_runs(size_t num_blocks);
  void rehash_with_commas(size_t count);
  void drop_ascii_signs(size_t count, size_t num_blocks);
  void drop_signs(size_t count);
  void add_quantities(size_t num_blocks);

  Buffer<uint8_t> room_;
  uint8_t* folded_ = nullptr;
  Buffer<uint64_t> bits_;  // all masks, one after the other
  uint64_t *letters_, *digits_, *signs_, *joints_, *starts_, *ends_, *run_starts_, *run_ends_;
  Buffer<uint32_t> places_;
  uint32_t *first_, *last_;
  Buffer<uint64_t> hashes_;
  Buffer<uint64_t> word_hashes_;
  std::vector<uint32_t> commas_;  // places of the commas inside numbers
  bool has_signs_ = false;
  bool has_digits_ = false;
};

// Hashes of n consecutive ones; as many as there are, none if there are fewer than n.
Hashes grams_of(Hashes hashes, size_t n, Buffer<uint64_t>* grams);

}  // namespace reasonmill
