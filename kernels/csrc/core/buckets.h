// Texts that share a bucket, as chains in the order of claims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/claims.h"

namespace reasonmill {

inline constexpr uint32_t kNone = UINT32_MAX;

struct Link {
  uint32_t table;
  uint32_t previous;         // the last text before this one in the same bucket
  double similarity = -1.0;  // with it, where it was computed ahead
};

// Links of each text in CSR form, ascending by table.
class Chains {
 public:
  Link* begin(uint32_t text) { return links_.data() + offset_[text]; }
  Link* end(uint32_t text) { return links_.data() + offset_[text + 1]; }
  bool empty(uint32_t text) const { return offset_[text] == offset_[text + 1]; }

  uint32_t previous(uint32_t text, uint32_t table) {
    for (const Link* link = begin(text); link != end(text); ++link) {
      if (link->table == table) return link->previous;
    }
    return kNone;
  }

 private:
  friend class Bucketing;
  std::vector<size_t> offset_;
  std::vector<Link> links_;
};

// Groups of texts with equal 64-bit keys.
class Bucketing {
 public:
  explicit Bucketing(size_t num_texts) : num_texts_(num_texts) {}

  // Adds tables 0 ... num_tables of these texts, ascending; texts[place] has the key `key(table, place)`.
  template <typename Key>
  void add(size_t num_tables, size_t threads, const std::vector<uint32_t>& texts, const Key& key,
           const Claims& claims);

  Chains chains() const;

 private:
  struct Pair {
    uint32_t text;
    uint32_t previous;
  };

  size_t num_texts_;
  std::vector<std::vector<Pair>> pairs_;  // by table
};

}  // namespace reasonmill

#include "core/buckets_impl.h"
