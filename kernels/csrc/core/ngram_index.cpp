#include "core/ngram_index.h"

#include <algorithm>
#include <tuple>

#include "core/parallel.h"

namespace reasonmill {
namespace {

constexpr size_t kBlock = 256;                // texts
constexpr size_t kBitmapBits = size_t{1} << 22;  // 512 KiB, half of a usual L2 cache; 100k n-grams fill 2.4 %

template <typename T>
void sort_unique(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

template <typename T>
std::vector<T> joined(std::vector<std::vector<T>>* parts) {
  std::vector<T> all;
  for (auto& part : *parts) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end(),
            [](const T& l, const T& r) { return std::tie(l.text, l.item) < std::tie(r.text, r.item); });
  return all;
}

}  // namespace

NgramIndex::NgramIndex(const std::vector<TextView>& items, size_t ngram, const uint32_t* table)
    : ngram_(ngram), table_(table), bitmap_(kBitmapBits / 64), anchors_(ngram + 1) {
  Scan scan;
  std::vector<std::vector<uint64_t>> hashes(items.size());
  std::vector<uint64_t> anchor;
  for (size_t item = 0; item < items.size(); ++item) {
    scan_text(items[item], table_, &scan);
    item_tokens_.push_back(scan.tokens);
    grams_of(scan.tokens, ngram_, &hashes[item]);
    sort_unique(&hashes[item]);
    const size_t length = std::min(ngram_, scan.tokens.size());
    if (length == 0) continue;
    grams_of(scan.tokens, length, &anchor);
    anchors_[length][anchor[0]].push_back(static_cast<uint32_t>(item));
  }
  number_grams(hashes);
  invert();
}

void NgramIndex::number_grams(const std::vector<std::vector<uint64_t>>& hashes) {
  for (const auto& of_item : hashes) grams_.insert(grams_.end(), of_item.begin(), of_item.end());
  sort_unique(&grams_);
  for (size_t number = 0; number < grams_.size(); ++number) {
    number_of_.emplace(grams_[number], static_cast<uint32_t>(number));
    const uint64_t bit = grams_[number] % kBitmapBits;
    bitmap_[bit / 64] |= uint64_t{1} << bit % 64;
  }
  item_offset_.push_back(0);
  for (const auto& of_item : hashes) {
    for (const uint64_t hash : of_item) item_grams_.push_back(number_of_.at(hash));
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

// Leaves the numbers of the text's distinct known n-grams in space->found, ascending.
void NgramIndex::find_grams(TextView text, Workspace* space) const {
  scan_text(text, table_, &space->scan);
  grams_of(space->scan.tokens, ngram_, &space->grams);
  space->found.clear();
  for (const uint64_t hash : space->grams) {
    const uint64_t bit = hash % kBitmapBits;
    if (!(bitmap_[bit / 64] >> bit % 64 & 1)) continue;
    const auto entry = number_of_.find(hash);
    if (entry != number_of_.end()) space->found.push_back(entry->second);
  }
  sort_unique(&space->found);
}

std::vector<uint32_t> NgramIndex::count_texts(const std::vector<TextView>& texts, size_t threads) const {
  threads = thread_count(threads);
  std::vector<std::vector<uint32_t>> counts(threads, std::vector<uint32_t>(grams_.size()));
  std::vector<Workspace> spaces(threads);
  parallel_blocks(texts.size(), kBlock, threads, [&](size_t begin, size_t end, size_t thread) {
    for (size_t text = begin; text < end; ++text) {
      find_grams(texts[text], &spaces[thread]);
      for (const uint32_t number : spaces[thread].found) ++counts[thread][number];
    }
  });
  for (size_t thread = 1; thread < threads; ++thread) {
    for (size_t g = 0; g < grams_.size(); ++g) counts[0][g] += counts[thread][g];
  }
  return std::move(counts[0]);
}

std::vector<Overlap> NgramIndex::overlaps(const std::vector<TextView>& texts, const uint32_t* weights,
                                          double least_share, size_t threads) const {
  threads = thread_count(threads);
  std::vector<uint64_t> totals(item_tokens_.size());
  for (size_t item = 0; item < totals.size(); ++item) {
    for (uint64_t at = item_offset_[item]; at < item_offset_[item + 1]; ++at) totals[item] += weights[item_grams_[at]];
  }
  struct Tally {
    std::vector<uint64_t> matched;
    std::vector<int64_t> num_matched;
    std::vector<uint32_t> touched;
  };
  std::vector<Workspace> spaces(threads);
  std::vector<Tally> tallies(threads, {std::vector<uint64_t>(totals.size()), std::vector<int64_t>(totals.size()), {}});
  std::vector<std::vector<Overlap>> found(threads);
  parallel_blocks(texts.size(), kBlock, threads, [&](size_t begin, size_t end, size_t thread) {
    Tally& tally = tallies[thread];
    for (size_t text = begin; text < end; ++text) {
      find_grams(texts[text], &spaces[thread]);
      for (const uint32_t number : spaces[thread].found) {
        for (uint64_t at = gram_offset_[number]; at < gram_offset_[number + 1]; ++at) {
          const uint32_t item = gram_items_[at];
          if (tally.num_matched[item]++ == 0) tally.touched.push_back(item);
          tally.matched[item] += weights[number];
        }
      }
      for (const uint32_t item : tally.touched) {
        const uint64_t matched = tally.matched[item];
        if (matched > 0 && static_cast<double>(matched) >= least_share * static_cast<double>(totals[item])) {
          found[thread].push_back({static_cast<int64_t>(text), item, tally.num_matched[item], matched, totals[item]});
        }
        tally.matched[item] = 0;
        tally.num_matched[item] = 0;
      }
      tally.touched.clear();
    }
  });
  return joined(&found);
}

// Leaves the items whose first `length` tokens, and the rest, stand in the scanned text in space->found.
void NgramIndex::find_items(const Scan& scan, Workspace* space, size_t length, size_t least_tokens) const {
  const auto& tokens = scan.tokens;
  grams_of(tokens, length, &space->grams);
  for (size_t at = 0; at < space->grams.size(); ++at) {
    const auto entry = anchors_[length].find(space->grams[at]);
    if (entry == anchors_[length].end()) continue;
    for (const uint32_t item : entry->second) {
      const auto& wanted = item_tokens_[item];
      if (wanted.size() > tokens.size() - at) continue;
      if (wanted.size() < least_tokens && wanted.size() != tokens.size()) continue;
      if (std::equal(wanted.begin(), wanted.end(), tokens.begin() + static_cast<ptrdiff_t>(at))) {
        space->found.push_back(item);
      }
    }
  }
}

std::vector<Containment> NgramIndex::containments(const std::vector<TextView>& texts, size_t least_tokens,
                                                  size_t threads) const {
  threads = thread_count(threads);
  std::vector<Workspace> spaces(threads);
  std::vector<std::vector<Containment>> found(threads);
  parallel_blocks(texts.size(), kBlock, threads, [&](size_t begin, size_t end, size_t thread) {
    Workspace& space = spaces[thread];
    for (size_t text = begin; text < end; ++text) {
      scan_text(texts[text], table_, &space.scan);
      space.found.clear();
      for (size_t length = 1; length <= ngram_; ++length) {
        if (!anchors_[length].empty()) find_items(space.scan, &space, length, least_tokens);
      }
      sort_unique(&space.found);
      for (const uint32_t item : space.found) found[thread].push_back({static_cast<int64_t>(text), item});
    }
  });
  return joined(&found);
}

}  // namespace reasonmill
