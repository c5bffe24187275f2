#include "core/ngram_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace reasonmill {
namespace {

// Of the filter, for each n-gram, which sets two of them in one word: one false hit in about 150 probes, and 80k n-grams
// in 256 KiB, which stay in the L2 cache.
constexpr size_t kFilterBits = 24;
constexpr size_t kMaxFilterWords = size_t{1} << 24;  // isa().probe takes 24 bits of the hash

template <typename T>
void sort_unique(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

}  // namespace

Matches joined(const std::vector<BlockMatches>& blocks, size_t block_size, size_t num_texts) {
  Matches all;
  all.offset.reserve(num_texts + 1);
  for (size_t block = 0; block < blocks.size(); ++block) {
    for (const uint32_t count : blocks[block].counts) all.offset.push_back(all.offset.back() + count);
    all.numbers.insert(all.numbers.end(), blocks[block].numbers.begin(), blocks[block].numbers.end());
    for (const auto& [place, item] : blocks[block].contained) {
      all.contained.push_back({static_cast<int64_t>(block * block_size + place), item});
    }
  }
  return all;
}

NgramIndex::NgramIndex(const std::vector<TextView>& items, size_t ngram, size_t short_ngram, size_t short_tokens,
                       const uint32_t* table)
    : ngram_(ngram), short_ngram_(short_ngram), anchors_(std::max(ngram, short_ngram) + 1),
      outside_table_(anchors_.size()) {
  Scan scan;
  Buffer<uint64_t> buffer;
  std::vector<std::vector<uint64_t>> hashes(items.size());
  std::vector<uint64_t> of_length[2];  // n-grams, short ones
  for (size_t item = 0; item < items.size(); ++item) {
    scan.read(items[item], table);
    item_tokens_.emplace_back(scan.tokens.data, scan.tokens.data + scan.tokens.size);
    const bool is_short = scan.tokens.size < short_tokens;
    const size_t n = is_short ? short_ngram_ : ngram_;
    item_ngram_.push_back(n);
    const Hashes grams = grams_of(scan.tokens, n, &buffer);
    hashes[item].assign(grams.data, grams.data + grams.size);
    sort_unique(&hashes[item]);
    auto& all = of_length[n != ngram_];
    all.insert(all.end(), hashes[item].begin(), hashes[item].end());
    const size_t length = std::min(n, scan.tokens.size);
    if (length == 0) continue;
    const uint64_t anchor = grams_of({scan.tokens.data, length}, length, &buffer).data[0];
    anchors_[length][anchor].push_back(static_cast<uint32_t>(item));
    if (length < n) outside_table_[length] = true;
  }
  number_grams(hashes);
  invert();
  fill_table();
  has_short_ = !of_length[1].empty();
  filter_ = Filter(of_length[0]);
  short_filter_ = Filter(of_length[1]);
}

void NgramIndex::number_grams(const std::vector<std::vector<uint64_t>>& hashes) {
  for (const auto& of_item : hashes) grams_.insert(grams_.end(), of_item.begin(), of_item.end());
  sort_unique(&grams_);
  item_offset_.push_back(0);
  for (const auto& of_item : hashes) {
    for (const uint64_t hash : of_item) {
      const auto place = std::lower_bound(grams_.begin(), grams_.end(), hash) - grams_.begin();
      item_grams_.push_back(static_cast<uint32_t>(place));
    }
    item_offset_.push_back(item_grams_.size());
  }
}

void NgramIndex::invert() {
  gram_offset_.resize(grams_.size() + 1);
  for (const uint32_t number : item_grams_) ++gram_offset_[number + 1];
  for (size_t g = 0; g < grams_.size(); ++g) gram_offset_[g + 1] += gram_offset_[g];
  gram_items_.resize(item_grams_.size());
  std::vector<uint64_t> next(gram_offset_.begin(), gram_offset_.end() - 1);
  for (size_t item = 0; item + 1 < item_offset_.size(); ++item) {
    for (uint64_t at = item_offset_[item]; at < item_offset_[item + 1]; ++at) {
      gram_items_[next[item_grams_[at]]++] = static_cast<uint32_t>(item);
    }
  }
}

void NgramIndex::fill_table() {
  table_.assign(std::bit_ceil(3 * grams_.size() / 2 + 2), Slot{0, kNone});
  const size_t mask = table_.size() - 1;
  for (size_t number = 0; number < grams_.size(); ++number) {
    const uint64_t hash = grams_[number];
    size_t at = home(hash);
    while (table_[at].number != kNone) at = (at + 1) & mask;
    const bool is_first = anchors_[ngram_].contains(hash) || anchors_[short_ngram_].contains(hash);
    table_[at] = {static_cast<uint32_t>(hash), static_cast<uint32_t>(number) | (is_first ? kFirst : 0)};
  }
}

NgramIndex::Filter::Filter(const std::vector<uint64_t>& hashes)
    : words_(std::bit_ceil(std::min(kMaxFilterWords, hashes.size() * kFilterBits / 64 + 1))) {
  for (const uint64_t hash : hashes) {
    words_[hash >> 40 & (words_.size() - 1)] |= uint64_t{1} << hash % 64 | uint64_t{1} << (hash >> 6) % 64;
  }
}

// Number of the n-gram, with kFirst where it is one; kNone for an unknown one.
uint32_t NgramIndex::find(uint64_t hash) const {
  const size_t mask = table_.size() - 1;
  for (size_t at = home(hash); table_[at].number != kNone; at = (at + 1) & mask) {
    const Slot slot = table_[at];
    if (slot.tag == static_cast<uint32_t>(hash) && grams_[slot.number & ~kFirst] == hash) return slot.number;
  }
  return kNone;
}

// Appends the numbers of those of the n-grams that are known, and the items that begin with one of them and go on.
void NgramIndex::look_up(const Scan& scan, Hashes grams, size_t n, const Filter& filter, size_t least_tokens,
                         Probe* probe, BlockMatches* found) const {
  probe->places.resize(grams.size + 1);
  const uint32_t* places = probe->places.data();
  const size_t hits = filter.probe(grams, probe->places.data());
  for (size_t hit = 0; hit < hits; ++hit) __builtin_prefetch(&table_[home(grams.data[places[hit]])]);
  for (size_t hit = 0; hit < hits; ++hit) {
    const uint64_t hash = grams.data[places[hit]];
    const uint32_t number = find(hash);
    if (number == kNone) continue;
    found->numbers.push_back(number & ~kFirst);
    if (number & kFirst) find_items(scan, hash, places[hit], n, least_tokens, &probe->items);
  }
}

void NgramIndex::match(const Scan& scan, Hashes grams, size_t least_tokens, Probe* probe, BlockMatches* found) const {
  const auto place = static_cast<uint32_t>(found->counts.size());
  const auto before = static_cast<ptrdiff_t>(found->numbers.size());
  probe->items.clear();
  look_up(scan, grams, ngram_, filter_, least_tokens, probe, found);
  if (has_short_) {
    const Hashes shorter = grams_of(scan.tokens, short_ngram_, &probe->grams);
    look_up(scan, shorter, short_ngram_, short_filter_, least_tokens, probe, found);
  }
  for (size_t length = 1; length < anchors_.size(); ++length) {
    if (!outside_table_[length]) continue;
    if (length < least_tokens && scan.tokens.size != length) continue;
    const Hashes shorter = grams_of(scan.tokens, length, &probe->grams);
    for (size_t i = 0; i < shorter.size; ++i) {
      find_items(scan, shorter.data[i], i, length, least_tokens, &probe->items);
    }
  }
  std::sort(found->numbers.begin() + before, found->numbers.end());
  found->numbers.erase(std::unique(found->numbers.begin() + before, found->numbers.end()), found->numbers.end());
  found->counts.push_back(static_cast<uint32_t>(found->numbers.size() - static_cast<size_t>(before)));
  sort_unique(&probe->items);
  for (const uint32_t item : probe->items) found->contained.emplace_back(place, item);
}

// Appends the items whose first `length` tokens have this hash and that stand whole in the text from token `at` on.
void NgramIndex::find_items(const Scan& scan, uint64_t hash, size_t at, size_t length, size_t least_tokens,
                            std::vector<uint32_t>* items) const {
  const auto entry = anchors_[length].find(hash);
  if (entry == anchors_[length].end()) return;
  for (const uint32_t item : entry->second) {
    const auto& wanted = item_tokens_[item];
    if (wanted.size() > scan.tokens.size - at) continue;
    if (wanted.size() < least_tokens && wanted.size() != scan.tokens.size) continue;
    if (std::equal(wanted.begin(), wanted.end(), scan.tokens.data + at)) items->push_back(item);
  }
}

uint64_t NgramIndex::densest(const Scan& scan, size_t item, const uint32_t* weights, double stretch, Probe* probe) const {
  const Hashes grams = grams_of(scan.tokens, item_ngram_[item], &probe->grams);
  const uint32_t* first = item_grams_.data() + item_offset_[item];
  const uint32_t* last = item_grams_.data() + item_offset_[item + 1];
  const auto reach = static_cast<size_t>(stretch * static_cast<double>(item_tokens_[item].size()));
  auto& hits = probe->hits;
  auto& within = probe->within;
  hits.clear();
  for (size_t place = 0; place < grams.size; ++place) {
    const uint32_t found = find(grams.data[place]);
    if (found == kNone) continue;
    const uint32_t number = found & ~kFirst;
    const uint32_t* at = std::lower_bound(first, last, number);
    if (at != last && *at == number) hits.emplace_back(place, static_cast<size_t>(at - first));
  }
  within.assign(static_cast<size_t>(last - first), 0);
  uint64_t weight = 0;
  uint64_t best = 0;
  size_t oldest = 0;
  for (const auto& [place, gram] : hits) {
    if (within[gram]++ == 0) weight += weights[first[gram]];
    while (place - hits[oldest].first > reach) {
      const size_t left = hits[oldest++].second;
      if (--within[left] == 0) weight -= weights[first[left]];
    }
    best = std::max(best, weight);
  }
  return best;
}

std::vector<Overlap> NgramIndex::overlaps(const int64_t* offset, const uint32_t* numbers, size_t num_texts,
                                          const uint32_t* weights, double least_share) const {
  const size_t num_items = item_tokens_.size();
  std::vector<uint64_t> totals(num_items);
  for (size_t item = 0; item < num_items; ++item) {
    for (uint64_t at = item_offset_[item]; at < item_offset_[item + 1]; ++at) totals[item] += weights[item_grams_[at]];
  }
  struct Tally {
    uint64_t matched;
    int64_t num_matched;
  };
  std::vector<Tally> tallies(num_items);
  std::vector<uint32_t> touched;
  std::vector<Overlap> found;
  for (size_t text = 0; text < num_texts; ++text) {
    touched.clear();
    for (int64_t i = offset[text]; i < offset[text + 1]; ++i) {
      const uint32_t number = numbers[i];
      for (uint64_t at = gram_offset_[number]; at < gram_offset_[number + 1]; ++at) {
        const uint32_t item = gram_items_[at];
        if (tallies[item].num_matched++ == 0) touched.push_back(item);
        tallies[item].matched += weights[number];
      }
    }
    const auto first = static_cast<ptrdiff_t>(found.size());
    for (const uint32_t item : touched) {
      const auto [sum, distinct] = std::exchange(tallies[item], {});
      if (sum > 0 && static_cast<double>(sum) >= least_share * static_cast<double>(totals[item])) {
        found.push_back({static_cast<int64_t>(text), item, distinct, sum, totals[item]});
      }
    }
    std::sort(found.begin() + first, found.end(), [](const Overlap& l, const Overlap& r) { return l.item < r.item; });
  }
  return found;
}

}  // namespace reasonmill
