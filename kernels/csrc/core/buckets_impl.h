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

// Places whose key may be that of another one. Two bitmaps of 16 bits for each text say where a key was met once, and
// where again: they fit a cache, where a table of all texts does not, and few texts need the table then.
template <typename KeyAt>
std::vector<uint32_t> places_met_again(uint32_t count, const KeyAt& key_at) {
  constexpr size_t kBits = 16;
  std::vector<uint64_t> once(std::bit_ceil(count * kBits / 64 + 1));
  std::vector<uint64_t> again(once.size());
  const uint64_t mask = 64 * once.size() - 1;
  for (uint32_t place = 0; place < count; ++place) {
    const uint64_t at = key_at(place) & mask;
    const uint64_t bit = uint64_t{1} << at % 64;
    again[at / 64] |= once[at / 64] & bit;
    once[at / 64] |= bit;
  }
  std::vector<uint32_t> places;
  for (uint32_t place = 0; place < count; ++place) {
    const uint64_t at = key_at(place) & mask;
    if (again[at / 64] >> at % 64 & 1) places.push_back(place);
  }
  return places;
}

template <typename Key>
void Bucketing::add(size_t num_tables, size_t threads, const std::vector<uint32_t>& texts, const Key& key,
                    const Claims& claims) {
  constexpr uint32_t kGroup = 0x80000000;
  const size_t base = pairs_.size();
  pairs_.resize(base + num_tables);
  const auto count = static_cast<uint32_t>(texts.size());
  parallel_blocks(num_tables, 1, threads, [&](size_t number, size_t, size_t) {
    const auto table = static_cast<uint32_t>(number);
    const std::vector<uint32_t> places = places_met_again(count, [&](uint32_t place) { return key(table, place); });
    BucketTable buckets(places.size());
    std::vector<uint32_t> first_of;                       // by group
    std::vector<std::pair<uint32_t, uint32_t>> members;  // group, text
    const auto key_of = [&](uint32_t holder) {
      return key(table, holder & kGroup ? first_of[holder & ~kGroup] : holder);
    };
    for (const uint32_t place : places) {
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
