// Bodies of core/buckets.h.
#pragma once

#include <algorithm>
#include <bit>
#include <utility>

#include "core/parallel.h"

namespace reasonmill {

// Open addressing over (tag, text or group). The table is asked for texts in advance, for it does not fit a cache.
class BucketTable {
 public:
  explicit BucketTable(size_t count) : slots_(std::bit_ceil(2 * count + 16), Slot{0, kNone}) {}

  void prefetch(uint64_t key) const { __builtin_prefetch(&slots_[key & (slots_.size() - 1)], 1); }

  struct Slot {
    uint32_t tag;
    uint32_t holder;  // a text, or kGroup | number of a group, or kNone
  };

  // The slot of the key, empty if it is new. `same(holder)` confirms what the tag proposes.
  template <typename Same>
  Slot& find(uint64_t key, const Same& same) {
    const size_t mask = slots_.size() - 1;
    const auto tag = static_cast<uint32_t>(key >> 32);
    for (size_t at = key & mask;; at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot.holder == kNone || (slot.tag == tag && same(slot.holder))) {
        slot.tag = tag;
        return slot;
      }
    }
  }

 private:
  std::vector<Slot> slots_;
};

template <typename Key>
void Bucketing::add(size_t num_tables, size_t threads, const std::vector<uint32_t>& texts, const Key& key,
                    const Claims& claims) {
  constexpr uint32_t kGroup = 0x80000000;
  constexpr uint32_t kAhead = 16;  // texts; not tuned
  const size_t base = pairs_.size();
  pairs_.resize(base + num_tables);
  const auto count = static_cast<uint32_t>(texts.size());
  parallel_blocks(num_tables, 1, threads, [&](size_t number, size_t, size_t) {
    const auto table = static_cast<uint32_t>(number);
    BucketTable buckets(count);                           // of places
    std::vector<uint32_t> first_of;                       // by group
    std::vector<std::pair<uint32_t, uint32_t>> members;  // group, text
    const auto key_of = [&](uint32_t holder) {
      return key(table, holder & kGroup ? first_of[holder & ~kGroup] : holder);
    };
    for (uint32_t place = 0; place < count; ++place) {
      if (place + kAhead < count) buckets.prefetch(key(table, place + kAhead));
      const uint64_t own = key(table, place);
      auto& slot = buckets.find(own, [&](uint32_t holder) { return key_of(holder) == own; });
      if (slot.holder == kNone) {
        slot.holder = place;
        continue;
      }
      if (!(slot.holder & kGroup)) {
        const auto group = static_cast<uint32_t>(first_of.size());
        first_of.push_back(slot.holder);
        members.emplace_back(group, texts[slot.holder]);
        slot.holder = kGroup | group;
      }
      members.emplace_back(slot.holder & ~kGroup, texts[place]);
    }
    std::vector<size_t> offset(first_of.size() + 1);
    for (const auto& [group, text] : members) ++offset[group + 1];
    for (size_t group = 0; group < first_of.size(); ++group) offset[group + 1] += offset[group];
    std::vector<uint32_t> by_group(members.size());
    std::vector<size_t> next(offset.begin(), offset.end() - 1);
    for (const auto& [group, text] : members) by_group[next[group]++] = text;
    auto& pairs = pairs_[base + number];
    for (size_t group = 0; group < first_of.size(); ++group) {
      const auto begin = by_group.begin() + static_cast<ptrdiff_t>(offset[group]);
      const auto end = by_group.begin() + static_cast<ptrdiff_t>(offset[group + 1]);
      std::sort(begin, end, [&](uint32_t l, uint32_t r) { return claims.before(l, r); });
      for (auto text = begin + 1; text != end; ++text) pairs.push_back({*text, text[-1]});
    }
  });
}

inline Chains Bucketing::chains() const {
  Chains chains;
  chains.offset_.resize(num_texts_ + 1);
  for (const auto& of_table : pairs_) {
    for (const auto& [text, previous] : of_table) ++chains.offset_[text + 1];
  }
  for (size_t text = 0; text < num_texts_; ++text) chains.offset_[text + 1] += chains.offset_[text];
  chains.links_.resize(chains.offset_[num_texts_]);
  std::vector<size_t> next(chains.offset_.begin(), chains.offset_.end() - 1);
  for (uint32_t table = 0; table < pairs_.size(); ++table) {
    for (const auto& [text, previous] : pairs_[table]) chains.links_[next[text]++] = {table, previous};
  }
  return chains;
}

}  // namespace reasonmill
