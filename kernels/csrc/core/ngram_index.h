// Which items of an evaluation set a text repeats: by the share of an item's n-grams, or by holding the whole item.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/scan.h"

namespace reasonmill {

// `matched` and `total` are sums of the weights of the item's distinct n-grams: those in the text, and all.
struct Overlap {
  int64_t text;
  int64_t item;
  int64_t num_matched;
  uint64_t matched;
  uint64_t total;
};

struct Containment {
  int64_t text;
  int64_t item;
};

// N-grams are of tokens: words and mathematical signs. Rules and twin: kernels/ngrams_reference.py.
class NgramIndex {
 public:
  NgramIndex(const std::vector<TextView>& items, size_t ngram, const uint32_t* table);

  // Hashes of all distinct n-grams, ascending; an n-gram's place here is its number.
  const std::vector<uint64_t>& grams() const { return grams_; }

  // Numbers of the item's n-grams: item_grams()[item_offset()[i] ... item_offset()[i + 1]], ascending.
  const std::vector<uint64_t>& item_offset() const { return item_offset_; }
  const std::vector<uint32_t>& item_grams() const { return item_grams_; }

  // Number of texts that hold each n-gram.
  std::vector<uint32_t> count_texts(const std::vector<TextView>& texts, size_t threads) const;

  // Pairs with matched >= least_share * total > 0, by text and item. `weights` has one entry for each n-gram.
  std::vector<Overlap> overlaps(const std::vector<TextView>& texts, const uint32_t* weights, double least_share,
                                size_t threads) const;

  // Pairs where the item's tokens stand in the text one after the other, by text and item; items of fewer than
  // `least_tokens` tokens only where they are all of the text. Items without tokens are contained nowhere.
  std::vector<Containment> containments(const std::vector<TextView>& texts, size_t least_tokens,
                                        size_t threads) const;

 private:
  struct Workspace {
    Scan scan;
    std::vector<uint64_t> grams;
    std::vector<uint32_t> found;
  };

  void number_grams(const std::vector<std::vector<uint64_t>>& hashes);
  void invert();
  void find_grams(TextView text, Workspace* space) const;
  void find_items(const Scan& scan, Workspace* space, size_t length, size_t least_tokens) const;

  size_t ngram_;
  const uint32_t* table_;
  std::vector<std::vector<uint64_t>> item_tokens_;
  std::vector<uint64_t> grams_;
  std::vector<uint64_t> item_offset_;
  std::vector<uint32_t> item_grams_;
  std::vector<uint64_t> gram_offset_;  // items of an n-gram: gram_items_[gram_offset_[g] ... gram_offset_[g + 1]]
  std::vector<uint32_t> gram_items_;
  std::vector<uint64_t> bitmap_;       // of the low bits of the n-gram hashes: most probes end here
  std::unordered_map<uint64_t, uint32_t> number_of_;
  // items by the hash of their first n-gram, by the length of that: their own length if that is less than n
  std::vector<std::unordered_map<uint64_t, std::vector<uint32_t>>> anchors_;
};

}  // namespace reasonmill
