#include "core/duplicates.h"

#include <algorithm>
#include <utility>

#include "core/aligned.h"
#include "core/hash.h"
#include "core/minhash.h"
#include "core/parallel.h"

namespace reasonmill {
namespace {

// From here on texts go by their rank, their place in the order in which they claim to be kept.
constexpr uint32_t kNone = UINT32_MAX;
constexpr size_t kBlock = 256;  // texts

struct Fingerprints {
  std::vector<uint64_t> key;       // [rank, 2]
  std::vector<uint64_t> buckets;   // [band, rank]; equal only where the quantities are equal too
  std::vector<uint8_t> has_grams;  // [rank]
};

// The scratch of one thread.
struct Workspace {
  Scan scan;
  std::vector<uint64_t> grams;
  std::vector<uint32_t> mixed;
  std::vector<uint64_t> keys;
  AlignedSlots slots;

  explicit Workspace(const DuplicateOptions& options) : keys(options.bands), slots(options.num_perm) {}
};

Fingerprints fingerprint(const std::vector<TextView>& texts, const int64_t* order, const DuplicateOptions& options) {
  const size_t count = texts.size();
  Fingerprints prints{std::vector<uint64_t>(2 * count), std::vector<uint64_t>(options.bands * count),
                      std::vector<uint8_t>(count)};
  std::vector<Workspace> spaces;
  for (size_t t = 0; t < thread_count(options.threads); ++t) spaces.emplace_back(options);
  parallel_blocks(count, kBlock, options.threads, [&](size_t begin, size_t end, size_t thread) {
    Workspace& space = spaces[thread];
    for (size_t rank = begin; rank < end; ++rank) {
      scan_text(texts[order[rank]], options.table, &space.scan);
      std::copy_n(space.scan.key, 2, &prints.key[2 * rank]);
      grams_of(space.scan.words, options.ngram, &space.grams);
      prints.has_grams[rank] = !space.grams.empty();
      if (space.grams.empty()) continue;
      minhash(space.grams, options.a, options.b, options.num_perm, &space.mixed, space.slots.data());
      band_keys(space.slots.data(), options.bands, options.rows, space.keys.data());
      for (size_t band = 0; band < options.bands; ++band) {
        prints.buckets[band * count + rank] = mix64(space.keys[band] ^ space.scan.quantities);
      }
    }
  });
  return prints;
}

// Finds the last rank seen with the same key. Open addressing over (tag, rank).
class LastSeen {
 public:
  explicit LastSeen(size_t count) {
    size_t capacity = 16;
    while (capacity < 2 * count) capacity *= 2;
    slots_.assign(capacity, {0, kNone});
  }

  // Returns what `same(rank)` confirms as the last rank with this key, or kNone, and remembers `rank` in its place
  // (`replace`) or leaves the first one there.
  template <typename Same>
  uint32_t exchange(uint64_t key, uint32_t rank, bool replace, const Same& same) {
    const size_t mask = slots_.size() - 1;
    const auto tag = static_cast<uint32_t>(key >> 32);
    for (size_t at = key & mask;; at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot.rank == kNone) {
        slot = {tag, rank};
        return kNone;
      }
      if (slot.tag == tag && same(slot.rank)) return replace ? std::exchange(slot.rank, rank) : slot.rank;
    }
  }

 private:
  struct Slot {
    uint32_t tag;
    uint32_t rank;
  };
  std::vector<Slot> slots_;
};

// The first rank with the same token sequence, its own where there is none.
std::vector<uint32_t> exact_duplicates(const Fingerprints& prints, size_t count) {
  std::vector<uint32_t> first(count);
  LastSeen seen(count);
  for (uint32_t rank = 0; rank < count; ++rank) {
    const uint64_t* key = &prints.key[2 * rank];
    const uint32_t found = seen.exchange(key[0], rank, false, [&](uint32_t other) {
      return prints.key[2 * other] == key[0] && prints.key[2 * other + 1] == key[1];
    });
    first[rank] = found == kNone ? rank : found;
  }
  return first;
}

struct Link {
  uint32_t band;
  uint32_t previous;  // the last rank before this one in the same bucket
};

// Links of each rank in CSR form: those of `rank` are links[offset[rank] ... offset[rank + 1]], by band.
struct Chains {
  std::vector<size_t> offset;
  std::vector<Link> links;

  Link* begin(uint32_t rank) { return links.data() + offset[rank]; }
  Link* end(uint32_t rank) { return links.data() + offset[rank + 1]; }

  uint32_t previous(uint32_t rank, uint32_t band) {
    for (const Link* link = begin(rank); link != end(rank); ++link) {
      if (link->band == band) return link->previous;
    }
    return kNone;
  }
};

Chains chain_buckets(const Fingerprints& prints, const std::vector<uint32_t>& first, const DuplicateOptions& options) {
  const size_t count = first.size();
  std::vector<std::vector<std::pair<uint32_t, uint32_t>>> pairs(options.bands);
  parallel_blocks(options.bands, 1, options.threads, [&](size_t band, size_t, size_t) {
    const uint64_t* buckets = &prints.buckets[band * count];
    LastSeen seen(count);
    for (uint32_t rank = 0; rank < count; ++rank) {
      if (!prints.has_grams[rank] || first[rank] != rank) continue;
      const uint32_t found = seen.exchange(buckets[rank], rank, true,
                                           [&](uint32_t other) { return buckets[other] == buckets[rank]; });
      if (found != kNone) pairs[band].emplace_back(rank, found);
    }
  });
  Chains chains{std::vector<size_t>(count + 1), {}};
  for (const auto& of_band : pairs) {
    for (const auto& [rank, previous] : of_band) ++chains.offset[rank + 1];
  }
  for (size_t rank = 0; rank < count; ++rank) chains.offset[rank + 1] += chains.offset[rank];
  chains.links.resize(chains.offset[count]);
  std::vector<size_t> next(chains.offset.begin(), chains.offset.end() - 1);
  for (uint32_t band = 0; band < options.bands; ++band) {
    for (const auto& [rank, previous] : pairs[band]) chains.links[next[rank]++] = {band, previous};
  }
  return chains;
}

double jaccard_of(const std::vector<uint64_t>& left, const std::vector<uint64_t>& right) {
  size_t common = 0;
  for (size_t l = 0, r = 0; l < left.size() && r < right.size();) {
    common += left[l] == right[r];
    const bool advance_left = left[l] <= right[r];
    const bool advance_right = right[r] <= left[l];
    l += advance_left;
    r += advance_right;
  }
  return static_cast<double>(common) / static_cast<double>(left.size() + right.size() - common);
}

// Decides rank after rank which texts are kept.
class Verification {
 public:
  Verification(const std::vector<TextView>& texts, const int64_t* order, const DuplicateOptions& options,
               Chains* chains)
      : texts_(texts), order_(order), options_(options), chains_(chains), kept_(texts.size(), 0) {}

  // The kept rank that this one duplicates with the similarity, or (rank, 1.0) if it is kept itself.
  std::pair<uint32_t, double> decide(uint32_t rank) {
    collect_candidates(rank);
    if (!candidates_.empty()) {
      grams_as_set(rank, &own_);
      for (const uint32_t candidate : candidates_) {
        grams_as_set(candidate, &other_);
        const double similarity = jaccard_of(own_, other_);
        if (similarity >= options_.threshold) return {candidate, similarity};
      }
    }
    kept_[rank] = 1;
    return {rank, 1.0};
  }

 private:
  void collect_candidates(uint32_t rank) {
    candidates_.clear();
    for (Link* link = chains_->begin(rank); link != chains_->end(rank); ++link) {
      // a rank that was not kept has its own link at a kept one already
      if (!kept_[link->previous]) link->previous = chains_->previous(link->previous, link->band);
      uint32_t candidate = link->previous;
      for (size_t n = 0; n < options_.max_bucket && candidate != kNone; ++n) {
        candidates_.push_back(candidate);
        candidate = chains_->previous(candidate, link->band);
      }
    }
    std::sort(candidates_.begin(), candidates_.end());
    keep_most_frequent();
  }

  // Reduces the sorted candidates to distinct ones, and to those that were met in the most buckets.
  void keep_most_frequent() {
    met_.clear();
    for (const uint32_t candidate : candidates_) {
      if (met_.empty() || met_.back().second != candidate) met_.emplace_back(0, candidate);
      --met_.back().first;  // negative, so that the most frequent come first and of equals the first rank
    }
    if (met_.size() > options_.max_candidates) {
      std::sort(met_.begin(), met_.end());
      met_.resize(options_.max_candidates);
    }
    candidates_.clear();
    for (const auto& [times, candidate] : met_) candidates_.push_back(candidate);
    std::sort(candidates_.begin(), candidates_.end());
  }

  void grams_as_set(uint32_t rank, std::vector<uint64_t>* grams) {
    scan_text(texts_[order_[rank]], options_.table, &scan_);
    grams_of(scan_.words, options_.ngram, grams);
    std::sort(grams->begin(), grams->end());
    grams->erase(std::unique(grams->begin(), grams->end()), grams->end());
  }

  const std::vector<TextView>& texts_;
  const int64_t* order_;
  const DuplicateOptions& options_;
  Chains* chains_;
  std::vector<uint8_t> kept_;
  std::vector<uint32_t> candidates_;
  std::vector<std::pair<int, uint32_t>> met_;
  std::vector<uint64_t> own_;
  std::vector<uint64_t> other_;
  Scan scan_;
};

}  // namespace

void near_duplicates(const std::vector<TextView>& texts, const int64_t* order, const DuplicateOptions& options,
                     int64_t* kept_as, double* jaccard) {
  const Fingerprints prints = fingerprint(texts, order, options);
  const std::vector<uint32_t> first = exact_duplicates(prints, texts.size());
  Chains chains = chain_buckets(prints, first, options);
  Verification verification(texts, order, options, &chains);
  for (uint32_t rank = 0; rank < texts.size(); ++rank) {
    const int64_t text = order[rank];
    if (first[rank] != rank) {  // its first has been decided, and what stands for that stands for this
      kept_as[text] = kept_as[order[first[rank]]];
      jaccard[text] = jaccard[order[first[rank]]];
      continue;
    }
    const auto [candidate, similarity] = verification.decide(rank);
    kept_as[text] = order[candidate];
    jaccard[text] = similarity;
  }
}

}  // namespace reasonmill
