// Which items of an evaluation set a text repeats: by the share of an item's n-grams, or by holding the whole item.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
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

// Of the texts of one block: the numbers of the known n-grams of each, and the items that they contain.
struct BlockMatches {
  std::vector<uint32_t> counts;   // n-grams of each text of the block
  std::vector<uint32_t> numbers;  // distinct and ascending within a text
  std::vector<std::pair<uint32_t, uint32_t>> contained;  // place of the text in its block, item
};

// The same of all texts: the n-grams of a text are numbers[offset[text] ... offset[text + 1]].
struct Matches {
  std::vector<int64_t> offset{0};
  std::vector<uint32_t> numbers;
  std::vector<Containment> contained;  // ascending by text and item
};

Matches joined(const std::vector<BlockMatches>& blocks, size_t block_size, size_t num_texts);

// N-grams are of tokens: words and mathematical signs. Items of fewer than short_tokens tokens have short_ngram-grams,
// for an edit of a short item leaves few longer ones. Rules and twin: kernels/ngrams_reference.py.
class NgramIndex {
 public:
  NgramIndex(const std::vector<TextView>& items, size_t ngram, size_t short_ngram, size_t short_tokens,
             const uint32_t* table);

  size_t ngram() const { return ngram_; }

  // Hashes of all distinct n-grams, ascending; an n-gram's place here is its number.
  const std::vector<uint64_t>& grams() const { return grams_; }

  // Numbers of the item's n-grams: item_grams()[item_offset()[i] ... item_offset()[i + 1]], ascending.
  const std::vector<uint64_t>& item_offset() const { return item_offset_; }
  const std::vector<uint32_t>& item_grams() const { return item_grams_; }

  // The scratch of one thread.
  struct Probe {
    std::vector<uint32_t> places;
    std::vector<uint32_t> items;
    Buffer<uint64_t> grams;
    std::vector<std::pair<size_t, size_t>> hits;  // place in the text, place among the item's n-grams
    std::vector<uint32_t> within;
  };

  // Appends what a text that was read repeats. `grams` are the ngram()-grams of its tokens. Items of fewer than `least_tokens`
  // tokens are contained only where they are all of the text; items without tokens nowhere.
  void match(const Scan& scan, Hashes grams, size_t least_tokens, Probe* probe, BlockMatches* found) const;

  // Greatest summed weight of distinct n-grams of an item that begin within `stretch` lengths of the item of each other in
  // a text that was read. `weights` has one entry for each n-gram.
  uint64_t densest(const Scan& scan, size_t item, const uint32_t* weights, double stretch, Probe* probe) const;

  // Pairs with matched >= least_share * total > 0, by text and item. `weights` has one entry for each n-gram.
  std::vector<Overlap> overlaps(const int64_t* offset, const uint32_t* numbers, size_t num_texts,
                                const uint32_t* weights, double least_share) const;

 private:
  // 8 bytes, so that 80k n-grams take 1 MiB: half of the hash, and the number, from which the whole is looked up.
  struct Slot {
    uint32_t tag;
    uint32_t number;  // of the n-gram, with kFirst where an item of its length of n-grams begins with it; or kNone
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kFirst = 0x80000000;

  // Bloom filter of hashes: two bits of one word each.
  class Filter {
   public:
    explicit Filter(const std::vector<uint64_t>& hashes);
    size_t probe(Hashes grams, uint32_t* places) const {
      return isa().probe(grams.data, grams.size, words_.data(), words_.size() - 1, places);
    }

   private:
    std::vector<uint64_t> words_;
  };

  void look_up(const Scan& scan, Hashes grams, size_t n, const Filter& filter, size_t least_tokens, Probe* probe,
               BlockMatches* found) const;
  void number_grams(const std::vector<std::vector<uint64_t>>& hashes);
  void invert();
  void fill_table();
  size_t home(uint64_t hash) const { return hash >> 32 & (table_.size() - 1); }
  uint32_t find(uint64_t hash) const;
  void find_items(const Scan& scan, uint64_t hash, size_t at, size_t length, size_t least_tokens,
                  std::vector<uint32_t>* items) const;

  size_t ngram_;
  size_t short_ngram_;
  bool has_short_ = false;  // whether an item has short n-grams
  std::vector<std::vector<uint64_t>> item_tokens_;
  std::vector<size_t> item_ngram_;  // tokens of the n-grams of each item
  std::vector<uint64_t> grams_;
  std::vector<uint64_t> item_offset_;
  std::vector<uint32_t> item_grams_;
  std::vector<uint64_t> gram_offset_;  // items of an n-gram: gram_items_[gram_offset_[g] ... gram_offset_[g + 1]]
  std::vector<uint32_t> gram_items_;
  Filter filter_{{}};                  // of the n-grams
  Filter short_filter_{{}};            // of the short ones, apart: they are few, and the filter fits the L1 cache then
  std::vector<Slot> table_;            // open addressing
  // items by the hash of their first n-gram, by the length of that: their own length if that is less
  std::vector<std::unordered_map<uint64_t, std::vector<uint32_t>>> anchors_;
  std::vector<bool> outside_table_;  // by that length: whether an item has fewer tokens than its n-grams would have
};

}  // namespace reasonmill
